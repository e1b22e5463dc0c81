// How attention_split cuts the cache.
const SPLIT = 64u; // positions per workgroup

// First position that the token at position p sees.
fn first_seen(p: u32, window: u32) -> u32 {
    return select(0u, p + 1u - min(window, p + 1u), window != 0u);
}
