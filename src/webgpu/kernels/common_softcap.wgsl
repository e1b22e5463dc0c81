// cap × tanh(x / cap), or x where cap is 0. Built-in tanh may overflow: e^(-2|u|) cannot.
fn softcap(x: f32, cap: f32) -> f32 {
    if (cap == 0.0) {
        return x;
    }
    let e = exp(-2.0 * min(abs(x / cap), 40.0));
    return sign(x) * cap * (1.0 - e) / (1.0 + e);
}
