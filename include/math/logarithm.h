#ifndef LOGARITHM_H
#define LOGARITHM_H

/** ln x, x > 0 and finite, to 4e-16 relative or absolute, whichever is larger: the same bits on
 *  every CPU, as kept values need them (libm chooses its code by CPU). ranks: local */
double logarithm(double x);

#endif
