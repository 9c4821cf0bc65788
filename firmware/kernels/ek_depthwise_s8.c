/* Depthwise convolution: for each channel, the input columns under two output rows are packed
 * into a strip, column after column, so that every window is one run of words. */
#include "ek_lanes.h"

/* Row `row` of channel `channel`, or 0 outside the input. */
static const int8_t *row_of(const ek_window *w, const int8_t *x, int32_t row, int32_t channel)
{
    return row < 0 || row >= w->in_h ? (const int8_t *)0 : &x[row * w->in_w * w->in_c + channel];
}

/* One row of the strip where a row may lie outside. Lane b takes `pad_b` there. */
static void pack_row(int32_t *out, int32_t out_step, const int8_t *a, const int8_t *b, int32_t n,
                     int32_t step, int32_t pad, int32_t pad_b)
{
    for (int32_t i = 0; i < n; i++) {
        out[i * out_step] = ek_pair(a != 0 ? a[i * step] : pad, b != 0 ? b[i * step] : pad_b);
    }
}

/* Three rows inside the input, the common case. */
static void pack_three(int32_t *out, const int8_t *const a[3], const int8_t *const b[3], int32_t n,
                       int32_t step)
{
    const int8_t *a0 = a[0];
    const int8_t *a1 = a[1];
    const int8_t *a2 = a[2];
    const int8_t *b0 = b[0];
    const int8_t *b1 = b[1];
    const int8_t *b2 = b[2];
    const int32_t end = n * step;
    for (int32_t i = 0; i < end; i += step) {
        out[0] = ek_pair(a0[i], b0[i]);
        out[1] = ek_pair(a1[i], b1[i]);
        out[2] = ek_pair(a2[i], b2[i]);
        out += 3;
    }
}

/* Pack the `count` columns of channel `channel` that lie inside the input, under output rows
 * `row` and `row + 1`; `paired` 0: lane b is 0. */
static void pack_strip(const ek_depthwise_s8_params *p, const int8_t *x, int32_t row,
                       int32_t paired, int32_t channel, int32_t count, int32_t *strip)
{
    const ek_window *w = &p->window;
    const int32_t kh = w->kernel_h;
    const int32_t top = row * w->stride_h - w->pad_top;
    const int32_t last = top + (kh - 1) * w->dilation_h + w->stride_h;
    int32_t *out = &strip[w->pad_left * kh];
    if (kh == 3 && paired != 0 && top >= 0 && last < w->in_h) {
        const int8_t *a[3];
        const int8_t *b[3];
        for (int32_t ky = 0; ky < 3; ky++) {
            a[ky] = row_of(w, x, top + ky * w->dilation_h, channel);
            b[ky] = row_of(w, x, top + ky * w->dilation_h + w->stride_h, channel);
        }
        pack_three(out, a, b, count, w->in_c);
        return;
    }
    for (int32_t ky = 0; ky < kh; ky++) {
        const int32_t y = top + ky * w->dilation_h;
        const int8_t *b = paired != 0 ? row_of(w, x, y + w->stride_h, channel) : 0;
        pack_row(&out[ky], kh, row_of(w, x, y, channel), b, count, w->in_c, p->pad_value,
                 paired != 0 ? p->pad_value : 0);
    }
}

/* Two output rows of one channel with a 3x3 filter: nine weights stay in registers. */
static void row_3x3(const ek_depthwise_s8_params *p, const int32_t *strip, int32_t channel,
                    int32_t out_c, int8_t *a, int8_t *b)
{
    const int8_t *w = &p->weights[channel * 9];
    const int32_t w0 = w[0];
    const int32_t w1 = w[1];
    const int32_t w2 = w[2];
    const int32_t w3 = w[3];
    const int32_t w4 = w[4];
    const int32_t w5 = w[5];
    const int32_t w6 = w[6];
    const int32_t w7 = w[7];
    const int32_t w8 = w[8];
    for (int32_t i = 0; i < p->window.out_w; i++) {
        int64_t s = EK_LANE_START;
        s += (int64_t)strip[0] * w0;
        s += (int64_t)strip[1] * w1;
        s += (int64_t)strip[2] * w2;
        s += (int64_t)strip[3] * w3;
        s += (int64_t)strip[4] * w4;
        s += (int64_t)strip[5] * w5;
        s += (int64_t)strip[6] * w6;
        s += (int64_t)strip[7] * w7;
        s += (int64_t)strip[8] * w8;
        ek_store_pair(&p->requant, channel, p->bias[channel], s, p->lanes, a, b);
        strip += 3 * p->window.stride_w;
        a += out_c;
        b += out_c;
    }
}

/* Two output rows of one channel with any filter. */
static void row_any(const ek_depthwise_s8_params *p, const int32_t *strip, int32_t channel,
                    int32_t out_c, int8_t *a, int8_t *b)
{
    const ek_window *w = &p->window;
    const int32_t kh = w->kernel_h;
    for (int32_t i = 0; i < w->out_w; i++) {
        const int8_t *weights = &p->weights[channel * kh * w->kernel_w];
        int64_t s = EK_LANE_START;
        for (int32_t kx = 0; kx < w->kernel_w; kx++) {
            const int32_t *column = &strip[kx * w->dilation_w * kh];
            for (int32_t ky = 0; ky < kh; ky++) {
                s += (int64_t)column[ky] * *weights;
                weights++;
            }
        }
        ek_store_pair(&p->requant, channel, p->bias[channel], s, p->lanes, a, b);
        strip += kh * w->stride_w;
        a += out_c;
        b += out_c;
    }
}

/* Columns outside the input hold the pad value throughout; the packing never touches them.
 * Returns the number of columns inside. */
static int32_t prepare(const ek_depthwise_s8_params *p, int32_t *strip)
{
    const ek_window *w = &p->window;
    const int32_t width = (w->out_w - 1) * w->stride_w + (w->kernel_w - 1) * w->dilation_w + 1;
    const int32_t pad = ek_pair(p->pad_value, p->lanes == 2 ? p->pad_value : 0);
    const int32_t inside = width - w->pad_left;
    for (int32_t i = 0; i < width * w->kernel_h; i++) {
        strip[i] = pad;
    }
    return ek_clamp(inside, 0, w->in_w);
}

/* All output channels of input channel `channel`, in two output rows. */
static void two_rows(const ek_depthwise_s8_params *p, const int32_t *strip, int32_t channel,
                     int32_t row, int32_t paired, int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t out_c = w->in_c * p->multiplier;
    const int32_t line = w->out_w * out_c;
    for (int32_t m = 0; m < p->multiplier; m++) {
        const int32_t c = channel * p->multiplier + m;
        int8_t *a = &y[row * line + c];
        int8_t *b = paired != 0 ? &a[line] : a;
        if (w->kernel_h == 3 && w->kernel_w == 3 && w->dilation_w == 1) {
            row_3x3(p, strip, c, out_c, a, b);
        } else {
            row_any(p, strip, c, out_c, a, b);
        }
    }
}

void ek_depthwise_s8(const ek_depthwise_s8_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t inside = prepare(p, scratch);
    for (int32_t row = 0; row < w->out_h; row += p->lanes) {
        const int32_t paired = p->lanes == 2 && row + 1 < w->out_h;
        for (int32_t channel = 0; channel < w->in_c; channel++) {
            pack_strip(p, x, row, paired, channel, inside, scratch);
            two_rows(p, scratch, channel, row, paired, y);
        }
    }
    ek_limit(y, w->out_h * w->out_w * w->in_c * p->multiplier, p->requant.low, p->requant.high);
}
