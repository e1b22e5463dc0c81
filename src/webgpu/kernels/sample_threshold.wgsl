// The z below which top-k, top-p and min-p cut (program/sample.h), without sorting.
//
//   params    VOCAB     step  STEP     sampling  SAMPLING by slot; rows that do not ask for it (draw) are left out
//   z         f32 [R, stride]
//   state     u32 [R, 8]: [0] ← order-preserving key of the threshold, [1] ← key of max z,
//             [2] ← 1 when the candidate list served, 0 when the whole row had to be searched
//
// A threshold is found digit by digit (8 bits) of the keys: a histogram of what matches the digits found so
// far, and the bin in which the running total from above reaches the target. For top-k items count 1, for
// top-p e^(z − max) in units of 2^-30: integer sums in two words do not depend on their order.
// First a short list is tried instead of the row: 256 threads take the maxima of their shares; the k-th
// largest of these is a lower bound of the k-th largest z (k: top_k, or 128 for top-p), and few ids reach it.
// (A thread loads AHEAD values before it looks at them: one workgroup hides latency in no other way.)
// If they fit (1024) and, for top-p alone, hold the mass that is needed, all digits are searched there.
// A workgroup of 256 threads per row; 8.1 KiB of workgroup memory.
#include "common_vocab.wgsl"
@group(0) @binding(0) var<uniform> params: Vocab;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> sampling: array<Sampling>;
@group(0) @binding(3) var<storage, read> z: array<u32>;
@group(0) @binding(4) var<storage, read_write> state: array<u32>;

const THREADS = 256u;
const LIST = 1024u;
const AHEAD = 16u;
const UNIT = 1073741824.0; // 2^30
const TWO_32 = 4294967296.0;

var<workgroup> tops: array<u32, THREADS>;
var<workgroup> bin_low: array<atomic<u32>, 256>;
var<workgroup> bin_high: array<atomic<u32>, 256>;
var<workgroup> list: array<u32, LIST>;
var<workgroup> list_n: atomic<u32>;
var<workgroup> found: u32;      // the bin of this digit
var<workgroup> found_above: f32; // total of the bins above it, within this digit
var<workgroup> bound: u32;
var<workgroup> in_list: u32;
var<workgroup> total: f32;

fn key_at(row: u32, i: u32) -> u32 {
    return key_of(z[row * params.stride + i]);
}

// A thread's next AHEAD keys, from i on; 0 past the end.
fn keys_at(row: u32, i: u32) -> array<u32, AHEAD> {
    var keys: array<u32, AHEAD>;
    for (var a = 0u; a < AHEAD; a++) {
        keys[a] = z[row * params.stride + min(i + a * THREADS, params.vocab - 1u)];
    }
    for (var a = 0u; a < AHEAD; a++) {
        keys[a] = select(0u, key_of(keys[a]), i + a * THREADS < params.vocab);
    }
    return keys;
}

fn mass(key: u32, top: f32) -> u32 {
    return u32(exp(max(value_of(key) - top, -80.0)) * UNIT + 0.5);
}

fn bin_add(bin: u32, amount: u32) {
    let old = atomicAdd(&bin_low[bin], amount);
    if (old + amount < old) {
        atomicAdd(&bin_high[bin], 1u);
    }
}

fn bin_value(bin: u32) -> f32 {
    return f32(atomicLoad(&bin_high[bin])) * TWO_32 + f32(atomicLoad(&bin_low[bin]));
}

fn clear_bins(tid: u32) {
    atomicStore(&bin_low[tid], 0u);
    atomicStore(&bin_high[tid], 0u);
}

// The largest key, not below `floor_key`, such that items with at least this key total `target`.
fn select_key(row: u32, by_mass: bool, listed: bool, floor_key: u32, target_total: f32, top: f32, tid: u32) -> u32 {
    let n = select(params.vocab, min(atomicLoad(&list_n), LIST), listed);
    var prefix = 0u;
    var above = 0.0;
    for (var shift = 24u; shift < 32u; shift -= 8u) {
        clear_bins(tid);
        if (tid == 0u) {
            found = 0u;
            found_above = 0.0;
        }
        workgroupBarrier();
        for (var i = tid; i < n; i += THREADS) {
            var key: u32;
            if (listed) {
                key = list[i];
            } else {
                key = key_at(row, i);
            }
            if (key >= floor_key && (shift == 24u || (key >> (shift + 8u)) == prefix)) {
                let bin = (key >> shift) & 255u;
                if (by_mass) {
                    bin_add(bin, mass(key, top));
                } else {
                    bin_add(bin, 1u);
                }
            }
        }
        workgroupBarrier();
        var high = 0u;
        var low = 0u;
        for (var bin = tid + 1u; bin < 256u; bin++) {
            let add = atomicLoad(&bin_low[bin]);
            low += add;
            high += atomicLoad(&bin_high[bin]) + select(0u, 1u, low < add);
        }
        let more = above + f32(high) * TWO_32 + f32(low);
        let own = bin_value(tid);
        if (own > 0.0 && more < target_total && more + own >= target_total) {
            found = tid;
            found_above = more;
        }
        workgroupBarrier();
        let bin = workgroupUniformLoad(&found);
        above = workgroupUniformLoad(&found_above);
        prefix = (prefix << 8u) | bin;
    }
    return prefix;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let row = group.x;
    let s = sampling[step_row(row).y];
    if (s.draw != 2u) {
        return;
    }
    let by_k = s.top_k > 0u && s.top_k < params.vocab;
    let by_p = s.top_p < 1.0;
    // Each thread's maximum, and the largest.
    var most = 0u;
    for (var i = tid; i < params.vocab; i += THREADS * AHEAD) {
        let keys = keys_at(row, i);
        for (var a = 0u; a < AHEAD; a++) {
            most = max(most, keys[a]);
        }
    }
    tops[tid] = most;
    clear_bins(tid);
    workgroupBarrier();
    var rank = 0u;
    var top_key = 0u;
    for (var i = 0u; i < THREADS; i++) {
        let other = tops[i];
        top_key = max(top_key, other);
        rank += select(0u, 1u, other > most || (other == most && i < tid));
    }
    let top = value_of(max(top_key, 1u));
    let wanted = select(128u, s.top_k, by_k);
    if (tid == 0u) {
        bound = 0u;
        atomicStore(&list_n, 0u);
    }
    workgroupBarrier();
    if (rank + 1u == wanted) { // beyond 256 nobody: the bound stays 0, and the list overflows
        bound = most;
    }
    let lower = workgroupUniformLoad(&bound);

    // The list, and for top-p alone the mass of everything.
    var low = 0u;
    var high = 0u;
    if (by_k || by_p) {
        for (var i = tid; i < params.vocab; i += THREADS * AHEAD) {
            let keys = keys_at(row, i);
            for (var a = 0u; a < AHEAD; a++) {
                let key = keys[a];
                if (key >= lower && i + a * THREADS < params.vocab) {
                    let at = atomicAdd(&list_n, 1u);
                    if (at < LIST) {
                        list[at] = key;
                    }
                }
                if (by_p && !by_k && key != 0u) {
                    let add = mass(key, top);
                    low += add;
                    high += select(0u, 1u, low < add);
                }
            }
        }
        bin_add(0u, low);
        atomicAdd(&bin_high[0], high);
    }
    workgroupBarrier();
    let everything = bin_value(0u);
    let n = atomicLoad(&list_n);
    workgroupBarrier();
    var fits = n <= LIST;
    if (by_p && !by_k) { // does the list hold enough?
        clear_bins(tid);
        workgroupBarrier();
        for (var i = tid; i < min(n, LIST); i += THREADS) {
            bin_add(0u, mass(list[i], top));
        }
        workgroupBarrier();
        fits = fits && bin_value(0u) >= s.top_p * everything;
    }
    if (tid == 0u) {
        in_list = select(0u, 1u, fits);
    }
    let listed = workgroupUniformLoad(&in_list) == 1u;

    var threshold = 1u; // NaN never
    if (by_k) {
        threshold = max(threshold, select_key(row, false, listed, 0u, f32(s.top_k), top, tid));
    }
    if (by_p) {
        var sum = everything;
        if (by_k) { // the mass of what top-k left
            clear_bins(tid);
            workgroupBarrier();
            let count = select(params.vocab, min(n, LIST), listed);
            for (var i = tid; i < count; i += THREADS) {
                var key: u32;
                if (listed) {
                    key = list[i];
                } else {
                    key = key_at(row, i);
                }
                if (key >= threshold) {
                    bin_add(0u, mass(key, top));
                }
            }
            workgroupBarrier();
            if (tid == 0u) {
                total = bin_value(0u);
            }
            sum = workgroupUniformLoad(&total);
        }
        let cut = select_key(row, true, listed, threshold, s.top_p * sum, top, tid);
        threshold = max(threshold, cut);
    }
    if (s.ln_min_p > -1e30) {
        threshold = max(threshold, key_of(bitcast<u32>(max(top + s.ln_min_p, LOWEST))));
    }
    if (tid == 0u) {
        state[row * 8u] = threshold;
        state[row * 8u + 1u] = top_key;
        state[row * 8u + 2u] = select(0u, 1u, listed);
    }
}
