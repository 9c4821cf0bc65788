/* Convolution of 16-bit activations with 8-bit weights. */
#include "ek_requant.h"

/* The rows or columns of a kernel that lie inside the input: first to before `end`. */
typedef struct {
    int32_t first;
    int32_t end;
} ek_span;

static ek_span inside(int32_t start, int32_t kernel, int32_t dilation, int32_t extent)
{
    ek_span span = {0, kernel};
    while (span.first < kernel && start + span.first * dilation < 0) {
        span.first++;
    }
    while (span.end > span.first && start + (span.end - 1) * dilation >= extent) {
        span.end--;
    }
    return span;
}

/* One channel of one pixel: padded cells hold 0 and are left out. */
static int32_t window_sum(const ek_window *s, const int16_t *x, const int8_t *w, int32_t top,
                          int32_t left)
{
    const ek_span rows = inside(top, s->kernel_h, s->dilation_h, s->in_h);
    const ek_span columns = inside(left, s->kernel_w, s->dilation_w, s->in_w);
    int32_t sum = 0;
    for (int32_t u = rows.first; u < rows.end; u++) {
        for (int32_t v = columns.first; v < columns.end; v++) {
            const int32_t cell = (top + u * s->dilation_h) * s->in_w + left + v * s->dilation_w;
            const int16_t *q = &x[cell * s->in_c];
            const int8_t *f = &w[(u * s->kernel_w + v) * s->in_c];
            for (int32_t c = 0; c < s->in_c; c++) {
                sum += q[c] * f[c];
            }
        }
    }
    return sum;
}

void ek_conv2d_s16(const ek_conv2d_s16_params *p, const int16_t *x, int16_t *y)
{
    const ek_window *s = &p->window;
    const int32_t depth = s->kernel_h * s->kernel_w * s->in_c;
    for (int32_t row = 0; row < s->out_h; row++) {
        const int32_t top = row * s->stride_h - s->pad_top;
        for (int32_t column = 0; column < s->out_w; column++) {
            const int32_t left = column * s->stride_w - s->pad_left;
            for (int32_t n = 0; n < p->out_c; n++) {
                const ek_scale scale = ek_scale_of(&p->requant, n);
                const int32_t sum = window_sum(s, x, &p->weights[n * depth], top, left);
                const int32_t v =
                    ek_round(scale.rounding, sum + p->bias[n], scale.multiplier, scale.shift);
                *y = (int16_t)ek_clamp(v, p->requant.low, p->requant.high);
                y++;
            }
        }
    }
}
