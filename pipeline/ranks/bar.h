#ifndef BAR_H
#define BAR_H

/** The line at the foot of a terminal that progress redraws and messages push away. Private to
 * ranks: log writes it so that a message and a bar never share a line. */

/** Draw `line` in place of the last bar; NULL removes it.
 *  ranks   local (rank 0) */
void bar_draw(const char *line);

#endif
