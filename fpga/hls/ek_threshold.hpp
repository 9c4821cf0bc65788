// Steps of single values: how many thresholds of its channel a value reaches, or a bit for each.
//
// N names COUNT (values), CHANNELS (the last axis) and ROWS: a row of thresholds for each channel,
// or one for all. Both take COUNT clocks.
#ifndef EK_THRESHOLD_HPP
#define EK_THRESHOLD_HPP

#include "ek_sum.hpp"

namespace ek
{

// y = LOW and one more for each threshold reached; a bit is +1 where the only one is.
template <typename N, typename T, int LEVELS, typename X, typename Y>
void threshold(const T (&thresholds)[N::ROWS][LEVELS], const X x[N::COUNT], Y y[N::COUNT])
{
#pragma HLS INLINE off
#pragma HLS ARRAY_PARTITION variable=thresholds complete dim=2
    for (int i = 0; i < N::COUNT; ++i) {
#pragma HLS PIPELINE II=1
        step<N::LOW>(value(x[i]), thresholds[N::ROWS == 1 ? 0 : i % N::CHANNELS], y[i]);
    }
}

// Bit l * CHANNELS + c of a pixel is +1 where its channel c reaches threshold l.
template <typename N, typename T, int LEVELS, typename X>
void thermometer(const T (&thresholds)[N::ROWS][LEVELS], const X x[N::COUNT],
                 Bit y[N::COUNT * LEVELS])
{
#pragma HLS INLINE off
#pragma HLS ARRAY_PARTITION variable=thresholds complete dim=2
    for (int i = 0; i < N::COUNT; ++i) {
#pragma HLS PIPELINE II=1
        const int channel = i % N::CHANNELS;
        const int pixel = i / N::CHANNELS;
        for (int level = 0; level < LEVELS; ++level) {
#pragma HLS UNROLL
            const int place = (pixel * LEVELS + level) * N::CHANNELS + channel;
            y[place] =
                value(x[i]) >= thresholds[N::ROWS == 1 ? 0 : channel][level].to_int() ? 1U : 0U;
        }
    }
}

} // namespace ek

#endif
