/* Elementary functions without tables, the same on every machine. */
#ifndef QN_BASE_MATHS_H
#define QN_BASE_MATHS_H

double qn_exp(double x); // relative error below 1e-15 where the result is a normal number
double
qn_log(double x); // x a positive normal number; error below 1e-15 of the larger of 1 and |ln x|

/* Sine and cosine, right to one unit in the last place. From 2^28 on neighbouring floats are 32
 * apart and no longer are angles: those count as 0. */
void qn_sincos(float *sine, float *cosine, float x);

#endif
