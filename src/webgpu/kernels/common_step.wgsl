// The step uniform, and which rows an op works on (kernels.h: enum qn_rows).
#params STEP

fn row_count(step: Step, sym: u32) -> u32 {
    return select(step.n_tokens, step.n_rows, sym == 1u);
}

// Row of x for row r of the result: the last R of T rows when `tail`.
fn row_source(step: Step, tail: u32, r: u32) -> u32 {
    return r + select(0u, step.n_tokens - step.n_rows, tail != 0u);
}
