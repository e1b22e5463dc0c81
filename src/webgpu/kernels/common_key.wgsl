// Numbers in the order of integers.
// Bits of a float → integer in the same order. NaN comes lowest, −0 equals 0.
fn key_of(bits: u32) -> u32 {
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return 0u;
    }
    let b = select(bits, 0u, bits == 0x80000000u);
    return select(b | 0x80000000u, ~b, (b >> 31u) == 1u);
}
