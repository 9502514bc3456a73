#ifndef EXPONENTIAL_H
#define EXPONENTIAL_H

/** e^x to 4e-16 relative (0 below -700, infinite above 700), and tanh x to 4e-16 absolute: the same
 *  bits on every CPU, as kept values need them (libm chooses its code by CPU).
 *  ranks   local */
double exponential(double x);
double hyperbolic_tangent(double x);

#endif
