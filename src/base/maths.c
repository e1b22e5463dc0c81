#include "base/maths.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN2_HIGH 0x1.62e42fee00000p-1 // 33 bits: exact when multiplied by an exponent
#define LN2_LOW 0x1.a39ef35793c76p-33
#define HALF_PI_HIGH 0x1.921fb5p+0 // 25 bits: exact when multiplied by up to 2^28
#define HALF_PI_LOW 0x1.110b4611a6263p-26

static double power_of_two(int n) { // -1022 <= n <= 1023
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double qn_exp(double x) {
    if (!(x <= 710))
        return x + (double)INFINITY; // NaN stays NaN
    if (x < -746)
        return 0;
    double n = rint(x * 0x1.71547652b82fep+0);
    double r = x - n * LN2_HIGH - n * LN2_LOW;
    // Taylor: |r| <= ln(2) / 2, so the first term left out is below 1e-17.
    static const double inverse_factorials[] = {
        0x1.6124613a86d09p-33, 0x1.1eed8eff8d898p-29, 0x1.ae64567f544e4p-26, 0x1.27e4fb7789f5cp-22,
        0x1.71de3a556c734p-19, 0x1.a01a01a01a01ap-16, 0x1.a01a01a01a01ap-13, 0x1.6c16c16c16c17p-10,
        0x1.1111111111111p-7,  0x1.5555555555555p-5,  0x1.5555555555555p-3,  0.5,
    };
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum = (sum + inverse_factorials[i]) * r;
    sum = 1 + (r + sum * r);
    int half = (int)n / 2; // in two steps: 2^n alone may be out of range
    return sum * power_of_two(half) * power_of_two((int)n - half);
}

double qn_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    // x = 2^e × m, sqrt(1/2) <= m < sqrt(2)
    uint64_t above = bits - 0x3fe6a09e667f3bcd;
    int e = (int)((int64_t)above >> 52);
    double m, sum = 0;
    bits -= (uint64_t)e << 52;
    memcpy(&m, &bits, sizeof m);
    double s = (m - 1) / (m + 1); // ln m = 2 (s + s^3/3 + s^5/5 + …), |s| < 0.172
    for (int k = 21; k > 1; k -= 2)
        sum = (sum + 1.0 / k) * s * s;
    return e * LN2_HIGH + (2 * s + (2 * s * sum + e * LN2_LOW));
}

void qn_sincos(float *sine, float *cosine, float x) {
    double v = x > -0x1p28f && x < 0x1p28f ? (double)x : 0;
    double n = rint(v * 0x1.45f306dc9c883p-1);
    double r = v - n * HALF_PI_HIGH - n * HALF_PI_LOW, z = r * r; // |r| <= pi / 4
    double s = r * (1 - z / 6 * (1 - z / 20 * (1 - z / 42 * (1 - z / 72 * (1 - z / 110)))));
    double c = 1 - z / 2 * (1 - z / 12 * (1 - z / 30 * (1 - z / 56 * (1 - z / 90))));
    int quarter = (int)n & 3;
    double by_quarter[5] = {s, c, -s, -c, s};
    *sine = (float)by_quarter[quarter];
    *cosine = (float)by_quarter[quarter + 1];
}
