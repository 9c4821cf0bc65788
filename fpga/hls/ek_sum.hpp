// What dense layers and convolutions share: a few products a clock, and what becomes of a sum.
#ifndef EK_SUM_HPP
#define EK_SUM_HPP

#include "ek_int.hpp"

namespace ek
{

// Stands where a layer has no thresholds: it returns its sums.
struct NoThresholds {
};

// What a clock reads: LANES elements from `first` on.
template <int LANES, typename T> void take(const T *from, int first, T (&lanes)[LANES])
{
#pragma HLS INLINE
    for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
        lanes[lane] = from[first + lane];
    }
}

// Sum over LANES of weight * (x - ZERO_POINT), all in one clock.
template <int ZERO_POINT, int LANES, typename W, typename X>
int dot(const W (&weights)[LANES], const X (&x)[LANES])
{
#pragma HLS INLINE
    int sum = 0;
    for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
        sum += product(weights[lane], value(x[lane]) - ZERO_POINT);
    }
    return sum;
}

// The same for bits: matches less the others, from one count of matches.
template <int ZERO_POINT, int LANES> int dot(const Bit (&weights)[LANES], const Bit (&x)[LANES])
{
#pragma HLS INLINE
    int matches = 0;
    int ones = 0;
    for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
        matches += weights[lane].to_uint() == x[lane].to_uint() ? 1 : 0;
        ones += static_cast<int>(weights[lane].to_uint());
    }
    return (2 * matches - LANES) - ZERO_POINT * (2 * ones - LANES);
}

// Sum over LANES of weight * PADDING: what cells outside the image add.
template <int PADDING, int LANES, typename W> int padded(const W (&weights)[LANES])
{
#pragma HLS INLINE
    int sum = 0;
    for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
        sum += product(weights[lane], PADDING);
    }
    return sum;
}

// LOW and one more for each threshold of the row that x reaches.
template <int LOW, int LEVELS, typename T, int BITS>
void step(int x, const T (&row)[LEVELS], Signed<BITS> &y)
{
    int passed = 0;
    for (int level = 0; level < LEVELS; ++level) {
#pragma HLS UNROLL
        passed += x >= row[level].to_int() ? 1 : 0;
    }
    y = LOW + passed;
}

// A bit has one threshold.
template <int LOW, typename T> void step(int x, const T (&row)[1], Bit &y)
{
    static_assert(LOW == -1, "a bit is -1 or +1");
    y = x >= row[0].to_int() ? 1U : 0U;
}

template <int LOW, int ROWS, int LEVELS, typename T, typename Y>
void finish(int sum, int channel, const T (&thresholds)[ROWS][LEVELS], Y &y)
{
    step<LOW>(sum, thresholds[channel], y);
}

template <int LOW, typename Y> void finish(int sum, int, const NoThresholds &, Y &y)
{
    static_assert(LOW == 0, "sums are returned as they are");
    y = sum;
}

} // namespace ek

#endif
