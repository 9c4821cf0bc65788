/* See ek_mfcc.h. Bounds of all values stand in docs/reference/mfcc.md. */
#include "ek_mfcc.h"

/* C99 leaves >> of a negative number to the implementation; here it must floor. */
typedef char ek_mfcc_arithmetic_shift[((-1 >> 1) == -1) ? 1 : -1];
/* Products are done in int. */
typedef char ek_mfcc_int_has_32_bits[(sizeof(int) >= 4) ? 1 : -1];

#define POWER_SHIFT 12
#define MEL_BITS 12
#define LOG_BITS 15
#define LEVEL_BITS 8
#define OUTPUT_SHIFT 19

/* log2(1 + i / 32), Q15. */
static const uint16_t log_table[33] = {
    0,     1455,  2866,  4236,  5568,  6863,  8124,  9352,  10549, 11716, 12855,
    13968, 15055, 16117, 17156, 18173, 19168, 20143, 21098, 22034, 22952, 23852,
    24736, 25604, 26455, 27292, 28114, 28922, 29717, 30498, 31267, 32024, 32768,
};

static int32_t bit_length(uint64_t value)
{
    uint32_t x = (uint32_t)(value >> 32);
    int32_t length = x != 0 ? 32 : 0;
    x = x != 0 ? x : (uint32_t)value;
    for (int32_t bits = 16; bits > 0; bits >>= 1) {
        if ((x >> bits) != 0) {
            x >>= bits;
            length += bits;
        }
    }
    return length + (int32_t)x;
}

/* Q15, linear between the table's points; 0 counts as 1. */
static int32_t log2_of(uint64_t x)
{
    if (x == 0) {
        return 0;
    }
    const int32_t exponent = bit_length(x) - 1;
    const uint64_t m = exponent > 20 ? x >> (exponent - 20) : x << (20 - exponent);
    const uint32_t entry = ((uint32_t)m >> 15) & 31U;
    const int32_t rest = (int32_t)((uint32_t)m & 0x7FFFU);
    const int32_t from = log_table[entry];
    const int32_t step = log_table[entry + 1] - from;
    return exponent * (1 << LOG_BITS) + from + ((step * rest) >> 15);
}

/* How far all samples can go left within 16 bits. */
static int32_t gain_of(const int16_t *samples, int32_t count)
{
    int32_t used = 0;
    for (int32_t i = 0; i < count; i++) {
        used |= samples[i] < 0 ? ~samples[i] : samples[i];
    }
    return 15 - bit_length((uint32_t)used);
}

typedef struct {
    int32_t re;
    int32_t im;
} point;

/* Window a frame into z as complex points in bit-reversed order: even samples are real parts. */
static void load(const ek_mfcc_params *p, int32_t gain, const int16_t *samples, point *z)
{
    const int32_t down = gain < 10 ? 10 - gain : 0;
    const int32_t factor = gain > 10 ? 1 << (gain - 10) : 1;
    const int32_t points = p->window / 2;
    int32_t at = 0;
    for (int32_t i = 0; i < points; i++) {
        z[at].re = ((samples[2 * i] * p->hann[2 * i]) >> down) * factor;
        z[at].im = ((samples[2 * i + 1] * p->hann[2 * i + 1]) >> down) * factor;
        int32_t bit = points / 2; /* add 1 from the top, the carry running down */
        while ((at & bit) != 0) {
            at ^= bit;
            bit >>= 1;
        }
        at |= bit;
    }
}

/* cosine - i sine, Q30 */
static point turn_of(const ek_mfcc_params *p, int32_t k)
{
    const point turn = {p->turns[2 * k] * (1 << 16), p->turns[2 * k + 1] * (1 << 16)};
    return turn;
}

static int32_t high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b) >> 32);
}

/* A quarter of the product. */
static point quarter(int32_t re, int32_t im, point turn)
{
    const point turned = {high(re, turn.re) + high(im, turn.im),
                          high(im, turn.re) - high(re, turn.im)};
    return turned;
}

/* Fourier transform of window / 2 complex points, radix 2, decimated in time. */
static void transform(const ek_mfcc_params *p, point *z)
{
    const int32_t points = p->window / 2;
    const point *end = z + points;
    for (int32_t half = 1; half < points; half *= 2) {
        for (point *a = z; a < end; a += 2 * half) { /* no turn */
            const point u = a[0];
            const point v = a[half];
            a[0].re = u.re + v.re;
            a[0].im = u.im + v.im;
            a[half].re = u.re - v.re;
            a[half].im = u.im - v.im;
        }
        for (int32_t k = 1; k < half; k++) {
            const point turn = turn_of(p, k * (points / half));
            for (point *a = z + k; a < end; a += 2 * half) {
                const point u = a[0];
                const point v = quarter(a[half].re, a[half].im, turn);
                a[0].re = u.re + v.re * 4;
                a[0].im = u.im + v.im * 4;
                a[half].re = u.re - v.re * 4;
                a[half].im = u.im - v.im * 4;
            }
        }
    }
}

/* From the transform of the pairs to twice the spectrum of the samples, bins 1 and up. */
static void separate(const ek_mfcc_params *p, point *z)
{
    const int32_t points = p->window / 2;
    for (int32_t k = 1; 2 * k <= points; k++) {
        const point a = z[k];
        const point b = z[points - k];
        const point turn = turn_of(p, k);
        const point opposite = {-turn.re, turn.im};
        const point u = quarter(a.im + b.im, b.re - a.re, turn);
        const point v = quarter(a.im + b.im, a.re - b.re, opposite);
        z[k].re = a.re + b.re + u.re * 4;
        z[k].im = a.im - b.im + u.im * 4;
        z[points - k].re = a.re + b.re + v.re * 4;
        z[points - k].im = b.im - a.im + v.im * 4;
    }
}

/* A bin rises on its slope's triangle and falls on the triangle before: levels above the floor. */
static void weigh(const ek_mfcc_params *p, int32_t gain, const point *z, int32_t *levels)
{
    const point *bin = z + p->first_bin;
    const uint16_t *weight = p->weights;
    const int32_t silence = p->floor + 2 * gain * (1 << LEVEL_BITS);
    uint64_t before = 0;
    for (int32_t m = 0; m <= p->mels; m++) {
        uint64_t total = 0;
        uint64_t rising = 0;
        for (int32_t i = 0; i < p->slopes[m]; i++) {
            const int64_t re = bin->re;
            const int64_t im = bin->im;
            const uint64_t power = (uint64_t)(re * re + im * im) >> POWER_SHIFT;
            total += power;
            rising += power * *weight++;
            bin++;
        }
        if (m > 0) {
            const uint64_t energy = before + (total << MEL_BITS) - rising;
            const int32_t level = (log2_of(energy) >> (LOG_BITS - LEVEL_BITS)) - silence;
            levels[m - 1] = level > 0 ? level : 0;
        }
        before = rising;
    }
}

/* Cosine transform of the levels, rounded by what the sums start with. */
static void cosine_transform(const ek_mfcc_params *p, const int32_t *levels, int8_t *features)
{
    const int16_t *cosine = p->cosines;
    for (int32_t j = 0; j < p->coefficients; j++) {
        int32_t sum = p->starts[j];
        for (int32_t m = 0; m < p->mels; m++) {
            sum += levels[m] * *cosine++;
        }
        sum >>= OUTPUT_SHIFT;
        sum = sum < -128 ? -128 : sum;
        features[j] = (int8_t)(sum > 127 ? 127 : sum);
    }
}

void ek_mfcc_frame(const ek_mfcc_params *p, int32_t *scratch, const int16_t *samples,
                   int8_t *features)
{
    point *z = (point *)scratch; /* two int32_t each */
    int32_t *levels = scratch + p->window;
    const int32_t gain = gain_of(samples, p->window);
    load(p, gain, samples, z);
    transform(p, z);
    separate(p, z);
    weigh(p, gain, z, levels);
    cosine_transform(p, levels, features);
}

void ek_mfcc(const ek_mfcc_params *p, int32_t *scratch, const int16_t *samples, int8_t *features)
{
    for (int32_t i = 0; i < p->frames; i++) {
        ek_mfcc_frame(p, scratch, samples + i * p->hop, features + i * p->coefficients);
    }
}
