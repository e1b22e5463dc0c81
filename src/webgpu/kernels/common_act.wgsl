// Activations of gated layers (enum qn_act).
override ACT: u32 = 0u; // 0 SiLU, 1 GELU (tanh form), 2 GELU (erf), 3 ReLU

// erf by the series x Σ (2x²)^n / (1·3·…·(2n+1)) × 2/√π e^(-x²) for small |x|, and by the continued
// fraction of erfc beyond; absolute error below 1e-6.
fn erf(x: f32) -> f32 {
    let a = abs(x);
    let e = exp(-a * a);
    if (a < 2.0) {
        var term = a;
        var sum = a;
        for (var n = 1u; n < 24u; n++) {
            term *= 2.0 * a * a / f32(2u * n + 1u);
            sum += term;
        }
        return sign(x) * min(1.1283791670955126 * e * sum, 1.0);
    }
    var f = a;
    for (var n = 12u; n > 0u; n--) {
        f = a + 0.5 * f32(n) / f;
    }
    return sign(x) * (1.0 - e * 0.5641895835477563 / f);
}

fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(clamp(-x, -80.0, 80.0))); // exp stays finite
}

fn act(x: f32) -> f32 {
    switch (ACT) {
        case 0u: {
            return x * sigmoid(x);
        }
        case 1u: {
            return x * sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x)); // ½ (1 + tanh u) = sigmoid 2u
        }
        case 2u: {
            return 0.5 * x * (1.0 + erf(x * 0.7071067811865476));
        }
        default: {
            return max(x, 0.0);
        }
    }
}
