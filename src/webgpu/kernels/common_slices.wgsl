// How the sums of a tile's slices meet, in the tiles' memory. What includes this has SLICES slices of LANES threads, THREADS in
// all, and `tiles`: arrays of CELLS × WIDE vec4s.
struct Sum { // a thread's, in one row of x
    lo: vec4<f32>,
    hi: vec4<f32>,
}

fn word(n: u32) -> vec3<u32> {
    return vec3<u32>(n / (CELLS * WIDE), n / WIDE % CELLS, n % WIDE);
}

fn finishes(i: u32, tid: u32) -> bool {
    return tid / LANES == i % SLICES;
}

// All slices' sums of row i in that slice that finishes it; all threads call this.
fn met(i: u32, own: Sum, tid: u32) -> Sum {
    var s = own;
    if (SLICES > 1u) {
        workgroupBarrier();
        if (!finishes(i, tid)) {
            let a = word(tid);
            let b = word(tid + THREADS);
            tiles[a.x][a.y][a.z] = bitcast<vec4<u32>>(s.lo);
            tiles[b.x][b.y][b.z] = bitcast<vec4<u32>>(s.hi);
        }
        workgroupBarrier();
        for (var j = 1u; j < SLICES && finishes(i, tid); j++) {
            let other = (tid + j * LANES) % THREADS;
            let a = word(other);
            let b = word(other + THREADS);
            s.lo += bitcast<vec4<f32>>(tiles[a.x][a.y][a.z]);
            s.hi += bitcast<vec4<f32>>(tiles[b.x][b.y][b.z]);
        }
    }
    return s;
}
