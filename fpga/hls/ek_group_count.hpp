// How many bits of each group are +1, the groups one after the other.
//
// N names GROUPS, SIZE (bits of a group) and SIMD (bits counted in a clock); it takes
// GROUPS * SIZE / SIMD clocks.
#ifndef EK_GROUP_COUNT_HPP
#define EK_GROUP_COUNT_HPP

#include "ek_int.hpp"

namespace ek
{

template <typename N, typename Y> void group_count(const Bit x[N::GROUPS * N::SIZE], Y y[N::GROUPS])
{
    constexpr int SIMD = N::SIMD;
    static_assert(N::SIZE % SIMD == 0, "whole groups are counted");
#pragma HLS INLINE off
    for (int group = 0; group < N::GROUPS; ++group) {
        int count = 0;
        for (int i = 0; i < N::SIZE; i += SIMD) {
#pragma HLS PIPELINE II=1
            for (int lane = 0; lane < SIMD; ++lane) {
#pragma HLS UNROLL
                count += static_cast<int>(x[group * N::SIZE + i + lane].to_uint());
            }
        }
        y[group] = count;
    }
}

} // namespace ek

#endif
