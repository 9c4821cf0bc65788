/* Depthwise 3x3 convolution with two MACs an instruction: the rows under the windows are packed in
 * pairs, four channels at a time, so that one word holds a column's cells of two rows. */
#include "ek_dsp.h"

#define EK_GROUP 4

/* Where the scratch memory's parts begin. */
typedef struct {
    int32_t *top;     /* [3][4]: pairs of filter rows 0 and 1 */
    int32_t *bottom;  /* [3][4]: of rows 1 and 2 */
    int32_t *outside; /* one word of the input's zero point */
    int32_t *upper;   /* [columns][4]: pairs of input rows */
    int32_t *lower;   /* the two rows below */
} parts;

/* Pack `n` cells of rows a and b: four pairs for each cell, plus the pair `offset`. */
EK_DSP_LOOP void pack(int32_t *out, const int8_t *a, int32_t step_a, const int8_t *b,
                      int32_t step_b, int32_t n, int32_t offset)
{
    const int32_t *end = &out[EK_GROUP * n];
    while (out != end) {
        const int32_t u = ek_load4(a);
        const int32_t v = ek_load4(b);
        const int32_t u02 = ek_sxtab16(offset, u);
        const int32_t u13 = ek_sxtab16_8(offset, u);
        const int32_t v02 = ek_sxtab16(offset, v);
        const int32_t v13 = ek_sxtab16_8(offset, v);
        out[0] = ek_pkhbt(u02, v02);
        out[1] = ek_pkhbt(u13, v13);
        out[2] = ek_pkhtb(u02, v02);
        out[3] = ek_pkhtb(u13, v13);
        out += EK_GROUP;
        a += step_a;
        b += step_b;
    }
}

/* One column under two rows of windows: s is the upper row's sum, t the lower one's. */
#define EK_COLUMN(i)                                                                               \
    u = upper[EK_GROUP * (i)];                                                                     \
    v = lower[EK_GROUP * (i)];                                                                     \
    s = ek_smlad(u, a##i, s);                                                                      \
    t = ek_smlatb(u, a##i, t);                                                                     \
    s = ek_smlabt(v, b##i, s);                                                                     \
    t = ek_smlad(v, b##i, t)

/* Two output rows of one channel; y1 may be y0 where there is but one. */
EK_DSP_LOOP void two_rows(const parts *at, const ek_dsp_channel *channel, const int32_t *upper,
                          const int32_t *lower, int8_t *y0, int8_t *y1, int32_t n, int32_t step,
                          int32_t stride)
{
    const ek_dsp_channel c = *channel;
    const int32_t a0 = at->top[0];
    const int32_t a1 = at->top[EK_GROUP];
    const int32_t a2 = at->top[2 * EK_GROUP];
    const int32_t b0 = at->bottom[0];
    const int32_t b1 = at->bottom[EK_GROUP];
    const int32_t b2 = at->bottom[2 * EK_GROUP];
    const int8_t *end = &y0[n * step];
    while (y0 != end) {
        int32_t s = c.start;
        int32_t t = c.start;
        int32_t u;
        int32_t v;
        EK_COLUMN(0);
        EK_COLUMN(1);
        EK_COLUMN(2);
        *y1 = ek_dsp_apply(&c, t);
        *y0 = ek_dsp_apply(&c, s);
        y0 += step;
        y1 += step;
        upper += stride;
        lower += stride;
    }
}

/* One output row of one channel. */
EK_DSP_LOOP void one_row(const parts *at, const ek_dsp_channel *channel, const int32_t *upper,
                         const int32_t *lower, int8_t *y, int32_t n, int32_t step, int32_t stride)
{
    const ek_dsp_channel c = *channel;
    const int32_t *a = at->top;
    const int32_t *b = at->bottom;
    const int8_t *end = &y[n * step];
    while (y != end) {
        int32_t s = c.start;
        s = ek_smlad(upper[0], a[0], s);
        s = ek_smlad(upper[EK_GROUP], a[EK_GROUP], s);
        s = ek_smlad(upper[2 * EK_GROUP], a[2 * EK_GROUP], s);
        s = ek_smlabt(lower[0], b[0], s);
        s = ek_smlabt(lower[EK_GROUP], b[EK_GROUP], s);
        s = ek_smlabt(lower[2 * EK_GROUP], b[2 * EK_GROUP], s);
        *y = ek_dsp_apply(&c, s);
        y += step;
        upper += stride;
        lower += stride;
    }
}

/* Filters of the channels from `channel` on. */
static void load_filters(const ek_depthwise_dsp_params *p, const parts *at, int32_t channel)
{
    const int32_t n = p->window.in_c;
    const int8_t *w = &p->weights[channel];
    pack(at->top, w, n, &w[3 * n], n, 3, 0);
    pack(at->bottom, &w[3 * n], n, &w[6 * n], n, 3, 0);
}

/* Pack input rows `row` and row + 1 of one group of channels; outside them lies the zero point. */
static void load_rows(const ek_dsp_window *w, const parts *at, const int8_t *x, int32_t row,
                      int32_t *out)
{
    const int32_t columns = (w->out_w - 1) * w->stride_w + 3;
    const int32_t right = columns - w->pad_left;
    const int32_t inside = right < w->in_w ? right : w->in_w;
    const int8_t *outside = (const int8_t *)at->outside;
    const int8_t *from[2];
    int32_t step[2];
    for (int32_t i = 0; i < 2; i++) {
        const int32_t y = row + i;
        const int32_t is_in = y >= 0 && y < w->in_h;
        from[i] = is_in ? &x[y * w->in_w * w->in_c] : outside;
        step[i] = is_in ? w->in_c : 0;
    }
    for (int32_t i = 0; i < EK_GROUP * w->pad_left; i++) {
        out[i] = 0;
    }
    pack(&out[EK_GROUP * w->pad_left], from[0], step[0], from[1], step[1], inside,
         ek_minus(w->zero_point));
    for (int32_t i = EK_GROUP * (w->pad_left + inside); i < EK_GROUP * columns; i++) {
        out[i] = 0;
    }
}

/* All rows of channels `first`.. of a group, two at a time. */
static void dense_rows(const ek_depthwise_dsp_params *p, parts at, const int8_t *x, int32_t group,
                       int32_t first, int8_t *y)
{
    const ek_dsp_window *w = &p->window;
    const int32_t line = w->out_w * w->in_c;
    load_filters(p, &at, group);
    load_rows(w, &at, &x[group], -w->pad_top, at.upper);
    for (int32_t row = 0; row < w->out_h; row += 2) {
        int8_t *y0 = &y[row * line + group];
        int8_t *y1 = row + 1 < w->out_h ? &y0[line] : y0;
        int32_t *next = at.upper;
        load_rows(w, &at, &x[group], row + 2 - w->pad_top, at.lower);
        for (int32_t c = first; c < EK_GROUP; c++) {
            const ek_dsp_channel channel = ek_dsp_channel_of(&p->scale, group + c);
            const parts of = {&at.top[c], &at.bottom[c], 0, 0, 0};
            two_rows(&of, &channel, &at.upper[c], &at.lower[c], &y0[c], &y1[c], w->out_w, w->in_c,
                     EK_GROUP * w->stride_w);
        }
        at.upper = at.lower;
        at.lower = next;
    }
}

/* One row of channels `first`.. of a group. */
static void strided_row(const ek_depthwise_dsp_params *p, const parts *at, const int8_t *x,
                        int32_t group, int32_t first, int32_t row, int8_t *y)
{
    const ek_dsp_window *w = &p->window;
    const int32_t top = row * w->stride_h - w->pad_top;
    int8_t *to = &y[row * w->out_w * w->in_c + group];
    load_filters(p, at, group);
    load_rows(w, at, &x[group], top, at->upper);
    load_rows(w, at, &x[group], top + 2, at->lower);
    for (int32_t c = first; c < EK_GROUP; c++) {
        const ek_dsp_channel channel = ek_dsp_channel_of(&p->scale, group + c);
        const parts of = {&at->top[c], &at->bottom[c], 0, 0, 0};
        one_row(&of, &channel, &at->upper[c], &at->lower[c], &to[c], w->out_w, w->in_c,
                EK_GROUP * w->stride_w);
    }
}

void ek_depthwise_dsp(const ek_depthwise_dsp_params *p, int32_t *scratch, const int8_t *x,
                      int8_t *y)
{
    const ek_dsp_window *w = &p->window;
    const int32_t columns = (w->out_w - 1) * w->stride_w + 3;
    parts at;
    at.top = scratch;
    at.bottom = &scratch[3 * EK_GROUP];
    at.outside = &scratch[6 * EK_GROUP];
    at.upper = &scratch[6 * EK_GROUP + 1];
    at.lower = &at.upper[EK_GROUP * columns];
    for (int32_t i = 0; i < EK_GROUP; i++) {
        ((int8_t *)at.outside)[i] = (int8_t)w->zero_point;
    }
    const int32_t rows = w->stride_h == 1 ? 1 : w->out_h;
    for (int32_t row = 0; row < rows; row++) {
        for (int32_t next = 0; next < w->in_c; next += EK_GROUP) {
            /* The last group may begin with channels of the one before, which are done. */
            const int32_t last = w->in_c - EK_GROUP;
            const int32_t group = next < last ? next : last;
            if (w->stride_h == 1) {
                dense_rows(p, at, x, group, next - group, y);
            } else {
                strided_row(p, &at, x, group, next - group, row, y);
            }
        }
    }
    ek_dsp_limit(y, w->out_h * w->out_w * w->in_c, p->scale.low, p->scale.high);
}
