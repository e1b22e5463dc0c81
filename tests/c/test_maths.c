/* The elementary functions of base/maths.h against the C library's in higher precision. */
#include <math.h>
#include <stdint.h>

#include "base/maths.h"
#include "tests/c/test.h"

static uint64_t state = 1;

static double uniform(double low, double high) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return low + (high - low) * (double)(state >> 11) * 0x1p-53;
}

/* Distance in units of the last place of the exact value as a float. */
static double ulps(float got, long double exact) {
    int exponent;
    frexpl(exact, &exponent);
    return (double)(fabsl((long double)got - exact) / ldexpl(1, exponent - 24));
}

static void test_exp(void) {
    double worst = 0;
    for (int i = 0; i < 1000000; i++) {
        double x = uniform(i % 2 ? -700 : -2, i % 2 ? 700 : 2);
        long double exact = expl((long double)x);
        worst = fmax(worst, (double)fabsl((long double)qn_exp(x) / exact - 1));
    }
    CHECK_MSG(worst < 1e-15, "%g", worst);
    CHECK(qn_exp(0) == 1 && qn_exp(-0.0) == 1);
    CHECK(qn_exp(711) > 1e308 && isinf(qn_exp(711)) && isinf(qn_exp((double)INFINITY)));
    CHECK(qn_exp(-800) == 0 && qn_exp(-(double)INFINITY) == 0 && qn_exp(-740) < 1e-300);
    CHECK(isnan(qn_exp((double)NAN)));
}

static void test_log(void) {
    double worst = 0;
    for (int i = 0; i < 1000000; i++) {
        double x = i % 2 ? pow(10, uniform(-300, 300)) : uniform(0.5, 2);
        long double exact = logl((long double)x);
        double scale = fmax(1, fabs((double)exact));
        worst = fmax(worst, (double)fabsl((long double)qn_log(x) - exact) / scale);
    }
    CHECK_MSG(worst < 1e-15, "%g", worst);
    CHECK(qn_log(1) == 0);
}

static void test_sincos(void) {
    double worst = 0;
    for (int i = 0; i < 3000000; i++) {
        static const double ranges[] = {1e-3, 4, 1e3, 1e6, 2.6e8};
        double range = ranges[i % 5];
        float x = i < 100000 ? (float)i : (float)uniform(-range, range), s, c;
        qn_sincos(&s, &c, x);
        worst = fmax(worst, fmax(ulps(s, sinl((long double)x)), ulps(c, cosl((long double)x))));
    }
    CHECK_MSG(worst <= 1, "%g ulp", worst);
    float s, c;
    qn_sincos(&s, &c, 0);
    CHECK(s == 0 && c == 1);
    qn_sincos(&s, &c, 1e30f);
    CHECK(s == 0 && c == 1);
    qn_sincos(&s, &c, -INFINITY);
    CHECK(s == 0 && c == 1);
}

int main(void) {
    test_exp();
    test_log();
    test_sincos();
    return test_done("maths");
}
