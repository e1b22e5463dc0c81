// Counter-based noise: the same words as src/base/rng.c.

fn mul_high(a: u32, b: u32) -> u32 {
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    let middle = a1 * b0 + ((a0 * b0) >> 16u); // cannot overflow: (2^16 − 1)² + 2^16 − 1 < 2^32
    let low = (middle & 0xffffu) + a0 * b1;
    return a1 * b1 + (middle >> 16u) + (low >> 16u);
}

// Philox-2x32, 10 rounds (Salmon et al., SC'11).
fn philox(key: u32, counter_a: u32, counter_b: u32) -> u32 {
    var a = counter_a;
    var b = counter_b;
    var k = key;
    for (var round = 0; round < 10; round++) {
        let high = mul_high(a, 0xd256d193u);
        let low = a * 0xd256d193u;
        a = high ^ k ^ b;
        b = low;
        k += 0x9e3779b9u;
    }
    return a;
}

// Natural logarithm of a normal x > 0 to f32 accuracy; the built-in may be off by 2^-21 near 1, where
// ln is small. x = m 2^e with m in [√½, √2); ln m = 2 atanh((m − 1) / (m + 1)).
fn ln(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    var e = f32(i32(bits >> 23u) - 127);
    var m = bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u);
    if (m > 1.4142135) {
        m *= 0.5;
        e += 1.0;
    }
    let s = (m - 1.0) / (m + 1.0);
    let t = s * s;
    let series = t * (1.0 / 3.0 + t * (1.0 / 5.0 + t * (1.0 / 7.0 + t * (1.0 / 9.0))));
    return e * 0.693145751953125 + (e * 1.428606765330187e-6 + (2.0 * s + 2.0 * s * series));
}

// Gumbel noise −ln(−ln u), u = ((word >> 9) + ½) 2^-23.
fn gumbel(key: u32, position: u32, id: u32) -> f32 {
    let u = (f32(philox(key, position, id) >> 9u) + 0.5) * 1.1920928955078125e-7;
    return -ln(-ln(u));
}
