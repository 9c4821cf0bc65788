// Largest value of each window, channel by channel, kept between LOW and HIGH. The largest of bits
// is their OR. Cells outside the image never win.
//
// N names the sizes of ek_window.hpp and CHANNELS, OUT_HEIGHT, OUT_WIDTH, TAPS, LOW, HIGH, PE
// (channels at a time). It takes OUT_HEIGHT * OUT_WIDTH * (CHANNELS / PE) * TAPS clocks.
#ifndef EK_MAX_POOL_HPP
#define EK_MAX_POOL_HPP

#include "ek_int.hpp"
#include "ek_window.hpp"

namespace ek
{

// One output pixel of PE channels.
template <typename N, typename X, typename Y>
void max_pool_pixel(const X *image, int row, int column, int first, Y *y)
{
    constexpr int PE = N::PE;
#pragma HLS INLINE
    int best[PE];
#pragma HLS ARRAY_PARTITION variable=best complete
    for (int tap = 0; tap < N::TAPS; ++tap) {
#pragma HLS PIPELINE II=1
        const Place at = place<N>(row, column, tap);
        for (int p = 0; p < PE; ++p) {
#pragma HLS UNROLL
            const int x = value(image[at.pixel * N::CHANNELS + first + p]);
            const int before = tap == 0 ? N::LOW : best[p];
            best[p] = at.inside && x > before ? x : before;
            if (tap == N::TAPS - 1) {
                const int at_y = (row * N::OUT_WIDTH + column) * N::CHANNELS + first + p;
                store(best[p] < N::HIGH ? best[p] : N::HIGH, y[at_y]);
            }
        }
    }
}

template <typename N, typename X, typename Y>
void max_pool(const X x[N::HEIGHT * N::WIDTH * N::CHANNELS],
              Y y[N::OUT_HEIGHT * N::OUT_WIDTH * N::CHANNELS])
{
    static_assert(N::CHANNELS % N::PE == 0, "whole groups are compared");
#pragma HLS INLINE off
    for (int row = 0; row < N::OUT_HEIGHT; ++row) {
        for (int column = 0; column < N::OUT_WIDTH; ++column) {
            for (int first = 0; first < N::CHANNELS; first += N::PE) {
                max_pool_pixel<N>(x, row, column, first, y);
            }
        }
    }
}

} // namespace ek

#endif
