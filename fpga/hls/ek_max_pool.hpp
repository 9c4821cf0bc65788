// Largest value of each window, channel by channel, kept between LOW and HIGH. The largest of bits
// is their OR. Cells outside the image never win.
//
// N names the sizes of ek_window.hpp and CHANNELS, OUT_HEIGHT, OUT_WIDTH, TAPS, LOW, HIGH.
// It takes OUT_HEIGHT * OUT_WIDTH * CHANNELS * TAPS clocks.
#ifndef EK_MAX_POOL_HPP
#define EK_MAX_POOL_HPP

#include "ek_int.hpp"
#include "ek_window.hpp"

namespace ek
{

template <typename N, typename X>
int max_of_window(const X *image, int row, int column, int channel)
{
#pragma HLS INLINE
    int best = N::LOW;
    for (int tap = 0; tap < N::TAPS; ++tap) {
#pragma HLS PIPELINE II=1
        const Place at = place<N>(row, column, tap);
        const int x = value(image[at.pixel * N::CHANNELS + channel]);
        best = at.inside && x > best ? x : best;
    }
    return best < N::HIGH ? best : N::HIGH;
}

template <typename N, typename X, typename Y>
void max_pool(const X x[N::HEIGHT * N::WIDTH * N::CHANNELS],
              Y y[N::OUT_HEIGHT * N::OUT_WIDTH * N::CHANNELS])
{
#pragma HLS INLINE off
    for (int row = 0; row < N::OUT_HEIGHT; ++row) {
        for (int column = 0; column < N::OUT_WIDTH; ++column) {
            for (int c = 0; c < N::CHANNELS; ++c) {
                store(max_of_window<N>(x, row, column, c),
                      y[(row * N::OUT_WIDTH + column) * N::CHANNELS + c]);
            }
        }
    }
}

} // namespace ek

#endif
