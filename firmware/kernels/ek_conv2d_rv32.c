/* Convolution for cores without vectors: the windows of four output pixels are gathered into
 * scratch, two to a word, and multiplied with two filters at a time.
 *
 * A word is a + b * 2^16. Two of them times weights, t = u0 * w0 + u1 * w1 in 32 bits that wrap,
 * hold A + B * 2^16, where A lies in [-32512, 32768] and, as long as w0 and w1 are not both -128,
 * B in 16 bits: so B is (t + 32767) >> 16. The sums of t, wrapping, and of B give both pixels' sums
 * back. */
#include "ek_rv32.h"

#define EK_PIXELS 4
#define EK_BELOW 32767

/* What is known of a channel, found once. */
typedef struct {
    ek_dsp_channel scale;
    int32_t start;
} output_channel;

/* Where the four windows read from. */
typedef struct {
    int32_t row[EK_PIXELS];
    int32_t column[EK_PIXELS];
    int32_t is_run; /* each window's columns lie inside the input, side by side */
} places;

/* The windows of pixels `pixel` to `last` and, where they are fewer than four, the last again. */
static void place(const ek_dsp_window *w, int32_t pixel, int32_t last, places *out)
{
    out->is_run = w->dilation_w == 1;
    for (int32_t slot = 0; slot < EK_PIXELS; slot++) {
        const int32_t at = pixel + slot < last ? pixel + slot : last;
        const int32_t row = at / w->out_w;
        const int32_t column = (at - row * w->out_w) * w->stride_w - w->pad_left;
        out->row[slot] = row * w->stride_h - w->pad_top;
        out->column[slot] = column;
        if (column < 0 || column + w->kernel_w > w->in_w) {
            out->is_run = 0;
        }
    }
}

/* Pack `n` depths of all four windows; returns where the next ones go. */
EK_DSP_LOOP int32_t *pack(int32_t *out, const int8_t *const *x, int32_t n)
{
    const int8_t *a = x[0];
    const int8_t *b = x[1];
    const int8_t *c = x[2];
    const int8_t *d = x[3];
    const int8_t *end = &a[n];
    while (a != end) {
        out[0] = *a++ + *b++ * (1 << 16);
        out[1] = *c++ + *d++ * (1 << 16);
        out += 2;
    }
    return out;
}

/* The cells at offset (ky, kx) of all windows; returns how many lie inside. */
static int32_t cells(const ek_dsp_window *w, const int8_t *x, const int8_t *pad, const places *at,
                     int32_t ky, int32_t kx, const int8_t **out)
{
    int32_t inside = 0;
    for (int32_t slot = 0; slot < EK_PIXELS; slot++) {
        const int32_t row = at->row[slot] + ky;
        const int32_t column = at->column[slot] + kx;
        out[slot] = pad;
        if (row >= 0 && row < w->in_h && column >= 0 && column < w->in_w) {
            out[slot] = &x[(row * w->in_w + column) * w->in_c];
            inside++;
        }
    }
    return inside;
}

static void gather(const ek_dsp_window *w, const int8_t *x, const int8_t *pad, const places *at,
                   int32_t *out)
{
    const int8_t *from[EK_PIXELS];
    for (int32_t ky = 0; ky < w->kernel_h; ky++) {
        const int32_t inside = cells(w, x, pad, at, ky * w->dilation_h, 0, from);
        if (at->is_run != 0 && inside == EK_PIXELS) {
            out = pack(out, from, w->kernel_w * w->in_c);
        } else {
            for (int32_t kx = 0; kx < w->kernel_w; kx++) {
                (void)cells(w, x, pad, at, ky * w->dilation_h, kx * w->dilation_w, from);
                out = pack(out, from, w->in_c);
            }
        }
    }
    out[0] = 0; /* where the number of depths is odd */
    out[1] = 0;
}

/* Two depths of one pair of pixels and one channel. */
#define EK_TERM(u0, u1, w0, w1, sum, high)                                                         \
    do {                                                                                           \
        const uint32_t t = (u0) * (w0) + (u1) * (w1);                                              \
        sum += t;                                                                                  \
        high += (int32_t)(t + below) >> 16;                                                        \
    } while (0)

/* Two depths of both pairs and two channels. */
#define EK_STEP(i)                                                                                 \
    do {                                                                                           \
        const uint32_t u0 = x[4 * (i)];                                                            \
        const uint32_t v0 = x[4 * (i) + 1];                                                        \
        const uint32_t u1 = x[4 * (i) + 2];                                                        \
        const uint32_t v1 = x[4 * (i) + 3];                                                        \
        const uint32_t a0 = (uint32_t)w[4 * (i)];                                                  \
        const uint32_t a1 = (uint32_t)w[4 * (i) + 1];                                              \
        const uint32_t b0 = (uint32_t)w[4 * (i) + 2];                                              \
        const uint32_t b1 = (uint32_t)w[4 * (i) + 3];                                              \
        EK_TERM(u0, u1, a0, a1, s0, h0);                                                           \
        EK_TERM(v0, v1, a0, a1, s1, h1);                                                           \
        EK_TERM(u0, u1, b0, b1, s2, h2);                                                           \
        EK_TERM(v0, v1, b0, b1, s3, h3);                                                           \
    } while (0)

typedef struct {
    int8_t *at[EK_PIXELS];
} targets;

/* One channel's outputs: `sum` and `upper` of both pairs of pixels. Compilers keep the scale in
 * registers if it is a copy: a store of int8 may change anything that a pointer leads to. */
static inline void store(const ek_dsp_channel *given, const uint32_t *sum, const int32_t *upper,
                         const targets *to, int32_t channel)
{
    const ek_dsp_channel s = *given;
    const uint32_t first = sum[0] - ((uint32_t)upper[0] << 16);
    const uint32_t third = sum[1] - ((uint32_t)upper[1] << 16);
    int32_t low = -128;
    int32_t high = 127;
    EK_HELD(low);
    EK_HELD(high);
    to->at[0][channel] = ek_rv32_clamp(ek_rv32_scaled_away(&s, (int32_t)first), low, high);
    to->at[1][channel] = ek_rv32_clamp(ek_rv32_scaled_away(&s, upper[0]), low, high);
    to->at[2][channel] = ek_rv32_clamp(ek_rv32_scaled_away(&s, (int32_t)third), low, high);
    to->at[3][channel] = ek_rv32_clamp(ek_rv32_scaled_away(&s, upper[1]), low, high);
}

/* Likewise where rounding does not look at the sign. */
static inline void store_plain(const ek_dsp_channel *given, const uint32_t *sum,
                               const int32_t *upper, const targets *to, int32_t channel)
{
    const ek_dsp_channel s = *given;
    const uint32_t first = sum[0] - ((uint32_t)upper[0] << 16);
    const uint32_t third = sum[1] - ((uint32_t)upper[1] << 16);
    int32_t low = -128;
    int32_t high = 127;
    EK_HELD(low);
    EK_HELD(high);
    to->at[0][channel] = ek_rv32_clamp(ek_rv32_scaled(&s, (int32_t)first), low, high);
    to->at[1][channel] = ek_rv32_clamp(ek_rv32_scaled(&s, upper[0]), low, high);
    to->at[2][channel] = ek_rv32_clamp(ek_rv32_scaled(&s, (int32_t)third), low, high);
    to->at[3][channel] = ek_rv32_clamp(ek_rv32_scaled(&s, upper[1]), low, high);
}

/* All channels of four pixels over `pairs` pairs of depths. Without a second channel, what stands
 * for it is written first, and then written over. */
#define EK_MULTIPLY(name, finish)                                                                  \
    EK_DSP_LOOP void name(const ek_conv2d_rv32_params *p, const output_channel *channels,          \
                          const int32_t *packed, int32_t pairs, targets to)                        \
    {                                                                                              \
        const int8_t *w = p->weights;                                                              \
        const uint32_t below = EK_BELOW;                                                           \
        for (int32_t c = 0; c < p->out_c; c += 2) {                                                \
            const int32_t other = c + (p->out_c - c > 1);                                          \
            const int8_t *const even = &w[4 * (pairs & ~1)];                                       \
            const int8_t *const end = &w[4 * pairs];                                               \
            const uint32_t *x = (const uint32_t *)packed;                                          \
            int32_t h0 = channels[c].start;                                                        \
            int32_t h1 = h0;                                                                       \
            int32_t h2 = channels[other].start;                                                    \
            int32_t h3 = h2;                                                                       \
            uint32_t s0 = (uint32_t)h0 * 0x10001U;                                                 \
            uint32_t s1 = s0;                                                                      \
            uint32_t s2 = (uint32_t)h2 * 0x10001U;                                                 \
            uint32_t s3 = s2;                                                                      \
            while (w != even) {                                                                    \
                EK_STEP(0);                                                                        \
                EK_IN_ORDER;                                                                       \
                EK_STEP(1);                                                                        \
                x += 8;                                                                            \
                w += 8;                                                                            \
            }                                                                                      \
            if (w != end) {                                                                        \
                EK_STEP(0);                                                                        \
                w += 4;                                                                            \
            }                                                                                      \
            finish(&channels[other].scale, (const uint32_t[2]){s2, s3},                            \
                   (const int32_t[2]){h2, h3}, &to, other);                                        \
            finish(&channels[c].scale, (const uint32_t[2]){s0, s1}, (const int32_t[2]){h0, h1},    \
                   &to, c);                                                                        \
        }                                                                                          \
    }

EK_MULTIPLY(multiply, store_plain)
EK_MULTIPLY(multiply_away, store)

void ek_conv2d_rv32(const ek_conv2d_rv32_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_dsp_window *w = &p->window;
    const int32_t depth = w->kernel_h * w->kernel_w * w->in_c;
    const int32_t pairs = (depth + 1) / 2;
    const int32_t count = w->out_h * w->out_w;
    output_channel *channels = (output_channel *)scratch;
    int32_t *packed = (int32_t *)&channels[p->out_c];
    int8_t *pad = (int8_t *)&packed[4 * pairs + 2];
    for (int32_t c = 0; c < p->out_c; c++) {
        channels[c].scale = ek_dsp_channel_at(&p->scale, c);
        channels[c].start = ek_dsp_start(&p->scale, c);
    }
    for (int32_t i = 0; i < w->in_c; i++) {
        pad[i] = w->zero_point;
    }
    for (int32_t pixel = 0; pixel < count; pixel += EK_PIXELS) {
        places at;
        targets to;
        place(w, pixel, count - 1, &at);
        for (int32_t slot = 0; slot < EK_PIXELS; slot++) {
            const int32_t one = pixel + slot < count ? pixel + slot : count - 1;
            to.at[slot] = &y[one * p->out_c];
        }
        gather(w, x, pad, &at, packed);
        if (p->scale.away != 0) {
            multiply_away(p, channels, packed, pairs, to);
        } else {
            multiply(p, channels, packed, pairs, to);
        }
    }
    ek_dsp_limit(y, count * p->out_c, p->scale.low, p->scale.high);
}
