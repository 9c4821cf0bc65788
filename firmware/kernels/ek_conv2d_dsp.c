/* Convolution with two MACs an instruction: the windows of four output pixels are gathered into
 * scratch as pairs of depths, and multiplied with two filters at a time. */
#include "ek_dsp.h"

#define EK_PIXELS 4

/* Write `rows` runs of `n` values, `step` bytes apart, less the zero point, as pairs EK_PIXELS
 * words apart; returns the next place. Of every four values, the first pair holds 0 and 2, the
 * second 1 and 3. */
EK_DSP_LOOP int32_t *expand(int32_t *out, const int8_t *x, int32_t n, int32_t rows, int32_t step,
                            int32_t zero_point)
{
    const int32_t offset = ek_minus(zero_point);
    step -= n & ~3;
    for (; rows > 0; rows--) {
        const int8_t *end = &x[n & ~3];
        while (x != end) {
            const int32_t v = ek_load4(x);
            out[0] = ek_sxtab16(offset, v);
            out[EK_PIXELS] = ek_sxtab16_8(offset, v);
            out += 2 * EK_PIXELS;
            x += 4;
        }
        for (int32_t i = 0; i < (n & 3); i += 2) {
            const int32_t second = (n & 3) - i > 1 ? x[i + 1] - zero_point : 0;
            out[0] = ek_pkhbt(x[i] - zero_point, second);
            out += EK_PIXELS;
        }
        x += step;
    }
    return out;
}

/* One kernel row of a window that is not a run of cells inside the input. */
static void collect(const ek_dsp_window *w, const int8_t *x, int32_t row, int32_t column,
                    int8_t *out)
{
    for (int32_t kx = 0; kx < w->kernel_w; kx++) {
        const int32_t is_in = row >= 0 && row < w->in_h && column >= 0 && column < w->in_w;
        const int8_t *cell = &x[is_in ? (row * w->in_w + column) * w->in_c : 0];
        for (int32_t c = 0; c < w->in_c; c++) {
            *out++ = is_in ? cell[c] : (int8_t)w->zero_point;
        }
        column += w->dilation_w;
    }
}

/* The window of output pixel (i, j). */
static void gather(const ek_dsp_window *w, const int8_t *x, int32_t i, int32_t j, int32_t *out,
                   int8_t *run)
{
    const int32_t column = j * w->stride_w - w->pad_left;
    const int32_t row = i * w->stride_h - w->pad_top;
    const int32_t depth = w->kernel_w * w->in_c;
    const int32_t line = w->in_w * w->in_c;
    if (w->dilation_w == 1 && column >= 0 && column + w->kernel_w <= w->in_w && row >= 0 &&
        row + (w->kernel_h - 1) * w->dilation_h < w->in_h) {
        (void)expand(out, &x[row * line + column * w->in_c], depth, w->kernel_h,
                     w->dilation_h * line, w->zero_point);
        return;
    }
    for (int32_t ky = 0; ky < w->kernel_h; ky++) {
        collect(w, x, row + ky * w->dilation_h, column, run);
        out = expand(out, run, depth, 1, 0, w->zero_point);
    }
}

/* One pair of depths, two channels, four pixels; b0 to b3 hold both channels' sums. The
 * instructions are written out because they need all registers there are, which compilers do not
 * find by themselves; clang cannot give so many away. */
#if EK_DSP_ASM && defined(__OPTIMIZE__) && !defined(__clang__)
#define EK_STEP_TEXT                                                                               \
    "ldr %[b], [%[w]], #4\n\t"                                                                     \
    "sxtb16 %[a], %[b]\n\t"                                                                        \
    "ldrd %[u], %[v], [%[x]], #8\n\t"                                                              \
    "smlad %[a0], %[u], %[a], %[a0]\n\t"                                                           \
    "smlad %[b0], %[u], %[b], %[b0]\n\t"                                                           \
    "smlad %[a1], %[v], %[a], %[a1]\n\t"                                                           \
    "smlad %[b1], %[v], %[b], %[b1]\n\t"                                                           \
    "ldrd %[u], %[v], [%[x]], #8\n\t"                                                              \
    "smlad %[a2], %[u], %[a], %[a2]\n\t"                                                           \
    "smlad %[b2], %[u], %[b], %[b2]\n\t"                                                           \
    "smlad %[a3], %[v], %[a], %[a3]\n\t"                                                           \
    "smlad %[b3], %[v], %[b], %[b3]\n\t"
#define EK_ASM(text)                                                                               \
    __asm__ volatile(text                                                                          \
                     : [w] "+r"(w), [x] "+r"(x), [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2),      \
                       [a3] "+r"(a3), [b0] "+r"(b0), [b1] "+r"(b1), [b2] "+r"(b2), [b3] "+r"(b3),  \
                       [a] "=&r"(a), [b] "=&r"(b), [u] "=&r"(u), [v] "=&r"(v)                      \
                     :                                                                             \
                     : "memory")
#define EK_STEP EK_ASM(EK_STEP_TEXT)
#define EK_FOUR_STEPS EK_ASM(EK_STEP_TEXT EK_STEP_TEXT EK_STEP_TEXT EK_STEP_TEXT)
#else
#define EK_STEP                                                                                    \
    b = ek_load4(w);                                                                               \
    a = ek_sxtb16(b);                                                                              \
    u = x[0];                                                                                      \
    v = x[1];                                                                                      \
    a0 = ek_smlad(u, a, a0);                                                                       \
    b0 = ek_smlad(u, b, b0);                                                                       \
    a1 = ek_smlad(v, a, a1);                                                                       \
    b1 = ek_smlad(v, b, b1);                                                                       \
    u = x[2];                                                                                      \
    v = x[3];                                                                                      \
    a2 = ek_smlad(u, a, a2);                                                                       \
    b2 = ek_smlad(u, b, b2);                                                                       \
    a3 = ek_smlad(v, a, a3);                                                                       \
    b3 = ek_smlad(v, b, b3);                                                                       \
    x += EK_PIXELS;                                                                                \
    w += 4
#define EK_FOUR_STEPS                                                                              \
    EK_STEP;                                                                                       \
    EK_STEP;                                                                                       \
    EK_STEP;                                                                                       \
    EK_STEP
#endif

/* Write one channel's outputs of four pixels. */
#define EK_STORE(channel, a, b, c, d, y)                                                           \
    do {                                                                                           \
        const ek_dsp_channel scale = ek_dsp_channel_at(&p->scale, channel);                        \
        int8_t *to = (y);                                                                          \
        *to = ek_dsp_apply(&scale, a);                                                             \
        *(to += step) = ek_dsp_apply(&scale, b);                                                   \
        *(to += step) = ek_dsp_apply(&scale, c);                                                   \
        *(to += step) = ek_dsp_apply(&scale, d);                                                   \
    } while (0)

/* Likewise, with ties away from zero. */
EK_DSP_LOOP void store_away(const ek_dsp_scale *scale, int32_t channel, const int32_t *sums,
                            int8_t *y, int32_t step)
{
    const ek_dsp_channel c = ek_dsp_channel_at(scale, channel);
    for (int32_t i = 0; i < EK_PIXELS; i++) {
        *y = ek_dsp_apply_away(&c, sums[i]);
        y += step;
    }
}

/* All channels of four pixels. */
EK_DSP_LOOP void four_pixels(const ek_conv2d_dsp_params *p, const int32_t *scratch, int32_t pairs,
                             int8_t *y)
{
    const int8_t *w = p->weights;
    const int32_t step = p->out_c;
    for (int32_t n = 0; n < step; n += 2) {
        const int32_t second = n + 1 < step ? n + 1 : n;
        const int32_t *x = scratch;
        const int8_t *end_of_fours = &w[4 * (pairs & ~3)];
        const int8_t *end = &w[4 * pairs];
        int32_t a0 = ek_dsp_start(&p->scale, n);
        int32_t a1 = a0;
        int32_t a2 = a0;
        int32_t a3 = a0;
        int32_t b0 = ek_dsp_both(a0, ek_dsp_start(&p->scale, second));
        int32_t b1 = b0;
        int32_t b2 = b0;
        int32_t b3 = b0;
        int32_t u;
        int32_t v;
        int32_t a;
        int32_t b;
        while (w != end_of_fours) {
            EK_FOUR_STEPS;
        }
        while (w != end) {
            EK_STEP;
        }
        b0 = ek_dsp_other(b0, a0);
        b1 = ek_dsp_other(b1, a1);
        b2 = ek_dsp_other(b2, a2);
        b3 = ek_dsp_other(b3, a3);
        /* b first: without a second channel, it writes nonsense where a goes. */
        if (p->scale.away != 0) {
            const int32_t first[EK_PIXELS] = {a0, a1, a2, a3};
            const int32_t other[EK_PIXELS] = {b0, b1, b2, b3};
            store_away(&p->scale, second, other, &y[second], step);
            store_away(&p->scale, n, first, &y[n], step);
        } else {
            EK_STORE(second, b0, b1, b2, b3, &y[second]);
            EK_STORE(n, a0, a1, a2, a3, &y[n]);
        }
    }
}

/* All channels of one pixel. */
EK_DSP_LOOP void one_pixel(const ek_conv2d_dsp_params *p, const int32_t *scratch, int32_t pairs,
                           int8_t *y)
{
    const int8_t *w = p->weights;
    for (int32_t n = 0; n < p->out_c; n += 2) {
        const int32_t second = n + 1 < p->out_c ? n + 1 : n;
        const int32_t *x = scratch;
        const int8_t *end = &w[4 * pairs];
        int32_t a = ek_dsp_start(&p->scale, n);
        int32_t both = ek_dsp_both(a, ek_dsp_start(&p->scale, second));
        while (w != end) {
            const int32_t v = ek_load4(w);
            a = ek_smlad(*x, ek_sxtb16(v), a);
            both = ek_smlad(*x, v, both);
            x += EK_PIXELS;
            w += 4;
        }
        y[second] = ek_dsp_finish(&p->scale, second, ek_dsp_other(both, a));
        y[n] = ek_dsp_finish(&p->scale, n, a);
    }
}

void ek_conv2d_dsp(const ek_conv2d_dsp_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_dsp_window *w = &p->window;
    const int32_t pairs = w->kernel_h * ((w->kernel_w * w->in_c + 1) / 2);
    const int32_t count = w->out_h * w->out_w;
    int8_t *run = (int8_t *)&scratch[EK_PIXELS * pairs];
    int32_t i = 0;
    int32_t j = 0;
    for (int32_t pixel = 0; pixel < count;) {
        const int32_t n = count - pixel < EK_PIXELS ? 1 : EK_PIXELS;
        for (int32_t slot = 0; slot < n; slot++) {
            gather(w, x, i, j, &scratch[slot], run);
            if (++j == w->out_w) {
                j = 0;
                i++;
            }
        }
        if (n == 1) {
            one_pixel(p, scratch, pairs, &y[pixel * p->out_c]);
        } else {
            four_pixels(p, scratch, pairs, &y[pixel * p->out_c]);
        }
        pixel += n;
    }
    ek_dsp_limit(y, count * p->out_c, p->scale.low, p->scale.high);
}
