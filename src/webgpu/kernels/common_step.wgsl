// The step uniform, and which rows an op works on (kernels.h: enum qn_rows).
#params STEP

fn row_count(sym: u32) -> u32 {
    return select(step.n_tokens, step.n_rows, sym == 1u);
}

// Row of x for row r of the result: the last R of T rows when `tail`.
fn row_source(tail: u32, r: u32) -> u32 {
    return r + select(0u, step.n_tokens - step.n_rows, tail != 0u);
}

// Of row t: position, slot, rope set, place of its id.
fn step_row(t: u32) -> vec4<u32> {
    if (step.batch != 0u) {
        return step.rows[t];
    }
    return vec4<u32>(step.pos + t, step.slot, step.rope_set, step.first_id + t);
}
