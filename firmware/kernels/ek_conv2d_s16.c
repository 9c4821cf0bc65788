/* Convolution of 16-bit activations with 8-bit weights. */
#include "ek_requant.h"

/* The rows or columns of a kernel that lie inside the input: `first` to before `end`. */
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

/* A window of one pixel: the runs of neighbouring input values that it covers. Padded cells hold 0
 * and are left out. */
typedef struct {
    const int16_t *x; /* the first run */
    int32_t weight;   /* index of the weight of its first value */
    int32_t runs;     /* in a row */
    int32_t length;   /* of a run */
    int32_t x_step;   /* from run to run */
    int32_t rows;
    int32_t x_row; /* from row to row */
    int32_t w_row;
} ek_cover;

static ek_cover cover(const ek_window *s, const int16_t *x, int32_t top, int32_t left)
{
    const ek_span rows = inside(top, s->kernel_h, s->dilation_h, s->in_h);
    const ek_span columns = inside(left, s->kernel_w, s->dilation_w, s->in_w);
    const int32_t cells = columns.end - columns.first;
    const int32_t row = top + rows.first * s->dilation_h;
    const int32_t column = left + columns.first * s->dilation_w;
    ek_cover c;
    c.x = cells > 0 && rows.end > rows.first ? &x[(row * s->in_w + column) * s->in_c] : x;
    c.weight = (rows.first * s->kernel_w + columns.first) * s->in_c;
    /* Without dilation the cells of a row lie side by side. */
    c.runs = s->dilation_w == 1 ? 1 : cells;
    c.length = s->dilation_w == 1 ? cells * s->in_c : s->in_c;
    c.x_step = s->dilation_w * s->in_c;
    c.rows = rows.end - rows.first;
    c.x_row = s->dilation_h * s->in_w * s->in_c;
    c.w_row = s->kernel_w * s->in_c;
    return c;
}

/* The sums of two output channels, which share each load of the input. */
static void window_sums(const ek_cover *c, const int8_t *wa, const int8_t *wb, int32_t sums[2])
{
    int32_t a = 0;
    int32_t b = 0;
    for (int32_t u = 0; u < c->rows; u++) {
        const int8_t *fa = &wa[c->weight + u * c->w_row];
        const int8_t *fb = &wb[c->weight + u * c->w_row];
        for (int32_t v = 0; v < c->runs; v++) {
            const int16_t *q = &c->x[u * c->x_row + v * c->x_step];
            const int16_t *end = &q[c->length];
            while (q != end) {
                const int32_t value = *q++;
                a += value * *fa++;
                b += value * *fb++;
            }
        }
    }
    sums[0] = a;
    sums[1] = b;
}

static int16_t finish(const ek_conv2d_s16_params *p, int32_t channel, int32_t sum)
{
    const ek_scale scale = ek_scale_of(&p->requant, channel);
    const int32_t v =
        ek_round(scale.rounding, sum + p->bias[channel], scale.multiplier, scale.shift);
    return (int16_t)ek_clamp(v, p->requant.low, p->requant.high);
}

void ek_conv2d_s16(const ek_conv2d_s16_params *p, const int16_t *x, int16_t *y)
{
    const ek_window *s = &p->window;
    const int32_t depth = s->kernel_h * s->kernel_w * s->in_c;
    for (int32_t row = 0; row < s->out_h; row++) {
        const int32_t top = row * s->stride_h - s->pad_top;
        for (int32_t column = 0; column < s->out_w; column++) {
            const ek_cover c = cover(s, x, top, column * s->stride_w - s->pad_left);
            for (int32_t n = 0; n < p->out_c; n += 2) {
                const int8_t *w = &p->weights[n * depth];
                const int32_t pair = n + 1 < p->out_c ? 1 : 0;
                int32_t sums[2];
                window_sums(&c, w, &w[pair * depth], sums);
                y[n] = finish(p, n, sums[0]);
                if (pair != 0) {
                    y[n + 1] = finish(p, n + 1, sums[1]);
                }
            }
            y += p->out_c;
        }
    }
}
