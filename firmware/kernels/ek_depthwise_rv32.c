/* Depthwise 3x3 convolution for cores with many registers: channel by channel, the input is copied
 * into a padded plane, over which the nine weights slide while they stay in registers. Each column
 * is loaded once and added to the outputs that it belongs to. */
#include "ek_rv32.h"

/* The plane's cells that the windows cover. */
typedef struct {
    int32_t rows;
    int32_t pitch;
} plane_size;

static plane_size size_of(const ek_dsp_window *w)
{
    plane_size s;
    s.rows = (w->out_h - 1) * w->stride_h + 3;
    s.pitch = (w->out_w - 1) * w->stride_w + 3;
    return s;
}

/* One channel of the input; what lies around it is never touched. */
EK_DSP_LOOP void fill(const ek_dsp_window *w, plane_size s, const int8_t *x, int8_t *plane)
{
    const int32_t height = w->in_h < s.rows - w->pad_top ? w->in_h : s.rows - w->pad_top;
    const int32_t width = w->in_w < s.pitch - w->pad_left ? w->in_w : s.pitch - w->pad_left;
    const int32_t step = w->in_c;
    const int32_t line = (w->in_w - (width & ~3)) * step;
    int8_t *out = &plane[w->pad_top * s.pitch + w->pad_left];
    for (int32_t i = 0; i < height; i++) {
        const int8_t *end = &out[width & ~3];
        for (; out != end; out += 4) {
            const int8_t a = x[0];
            const int8_t b = *(x += step);
            const int8_t c = *(x += step);
            const int8_t d = *(x += step);
            x += step;
            out[0] = a;
            out[1] = b;
            out[2] = c;
            out[3] = d;
        }
        for (int32_t j = 0; j < (width & 3); j++) {
            out[j] = x[j * step];
        }
        x += line;
        out += s.pitch - (width & ~3);
    }
}

/* Three cells of one column times one column of the filter. */
#define EK_COLUMN(a, b, c, k) ((a) * (k)[0] + (b) * (k)[3] + (c) * (k)[6])

/* One output row, windows one column apart. */
static inline void row_1(const int8_t *r, int32_t pitch, const int32_t *k, int32_t start,
                         const ek_dsp_channel *s, int8_t *y, int32_t step, int32_t n)
{
    const int8_t *const end = &r[n];
    const int8_t *m = &r[pitch];
    const int8_t *l = &m[pitch];
    int32_t first = start + EK_COLUMN(r[0], m[0], l[0], &k[0]) + EK_COLUMN(r[1], m[1], l[1], &k[1]);
    int32_t second = start + EK_COLUMN(r[1], m[1], l[1], &k[0]);
    while (r != end) {
        const int32_t a = r[2];
        const int32_t b = m[2];
        const int32_t c = l[2];
        const int32_t sum = first + EK_COLUMN(a, b, c, &k[2]);
        first = second + EK_COLUMN(a, b, c, &k[1]);
        second = start + EK_COLUMN(a, b, c, &k[0]);
        *y = ek_rv32_clamp(ek_rv32_scaled(s, sum), -128, 127);
        y += step;
        r++;
        m++;
        l++;
    }
}

/* One output row, windows two columns apart. */
static inline void row_2(const int8_t *r, int32_t pitch, const int32_t *k, int32_t start,
                         const ek_dsp_channel *s, int8_t *y, int32_t step, int32_t n)
{
    const int8_t *const end = &r[2 * n];
    const int8_t *m = &r[pitch];
    const int8_t *l = &m[pitch];
    int32_t first = start + EK_COLUMN(r[0], m[0], l[0], &k[0]);
    while (r != end) {
        const int32_t a = r[2];
        const int32_t b = m[2];
        const int32_t c = l[2];
        const int32_t sum = first + EK_COLUMN(r[1], m[1], l[1], &k[1]) + EK_COLUMN(a, b, c, &k[2]);
        first = start + EK_COLUMN(a, b, c, &k[0]);
        *y = ek_rv32_clamp(ek_rv32_scaled(s, sum), -128, 127);
        y += step;
        r += 2;
        m += 2;
        l += 2;
    }
}

/* All outputs of one channel; `y` is its first. */
#define EK_CHANNEL(row)                                                                            \
    EK_DSP_LOOP void channel_##row(const ek_dsp_window *w, plane_size s, const int8_t *plane,      \
                                   const int8_t *weights, int32_t start,                           \
                                   const ek_dsp_channel *given, int8_t *y)                         \
    {                                                                                              \
        const ek_dsp_channel scale = *given;                                                       \
        const int32_t k[9] = {weights[0], weights[1], weights[2], weights[3], weights[4],          \
                              weights[5], weights[6], weights[7], weights[8]};                     \
        for (int32_t i = 0; i < w->out_h; i++) {                                                   \
            row(plane, s.pitch, k, start, &scale, y, w->in_c, w->out_w);                           \
            plane += w->stride_h * s.pitch;                                                        \
            y += w->out_w * w->in_c;                                                               \
        }                                                                                          \
    }

EK_CHANNEL(row_1)
EK_CHANNEL(row_2)

void ek_depthwise_rv32(const ek_depthwise_rv32_params *p, int32_t *scratch, const int8_t *x,
                       int8_t *y)
{
    const ek_dsp_window *w = &p->window;
    const plane_size s = size_of(w);
    int8_t *plane = (int8_t *)scratch;
    for (int32_t i = 0; i < s.rows * s.pitch; i++) {
        plane[i] = w->zero_point;
    }
    for (int32_t c = 0; c < w->in_c; c++) {
        const ek_dsp_channel scale = ek_dsp_channel_at(&p->scale, c);
        const int32_t start = ek_dsp_start(&p->scale, c);
        fill(w, s, &x[c], plane);
        if (w->stride_w == 1) {
            channel_row_1(w, s, plane, &p->weights[9 * c], start, &scale, &y[c]);
        } else {
            channel_row_2(w, s, plane, &p->weights[9 * c], start, &scale, &y[c]);
        }
    }
    ek_dsp_limit(y, w->out_h * w->out_w * w->in_c, p->scale.low, p->scale.high);
}
