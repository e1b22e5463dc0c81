// Cells of two columns for matmul_tiles_f16, over its pack and pair_of.
fn put(chunk: u32, first: u32, slot: u32, four: mat4x4<f32>) {
    tiles[chunk][first * 2u][slot] = vec4<u32>(pack(four[0]), pack(four[1]));
    tiles[chunk][first * 2u + 1u][slot] = vec4<u32>(pack(four[2]), pack(four[3]));
}

fn two(chunk: u32, pair: u32, slot: u32) -> Two {
    let c = tiles[chunk][pair][slot];
    return Two(Quad(pair_of(c.x), pair_of(c.y)), Quad(pair_of(c.z), pair_of(c.w)));
}
