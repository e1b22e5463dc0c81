// How attention_split cuts the cache: into splits of so many positions, aligned to that.
const SPLIT = 64u; // the least

// First position that the token at position p sees.
fn first_seen(p: u32, window: u32) -> u32 {
    return select(0u, p + 1u - min(window, p + 1u), window != 0u);
}

// Binary logarithm of the positions of a split, for the token at p that sees those from `first` on: at most `most` splits.
fn split_shift(first: u32, p: u32, most: u32) -> u32 {
    var shift = 6u;
    while ((p >> shift) - (first >> shift) >= most) {
        shift++;
    }
    return shift;
}

// How many splits those are.
fn split_count(p: u32, window: u32, most: u32) -> u32 {
    let first = first_seen(p, window);
    let shift = split_shift(first, p, most);
    return (p >> shift) - (first >> shift) + 1u;
}
