/* Average pool over the cells of each window that lie inside the input. */
#include "ek_mve.h"

/* First cell and size of a window, cut at the input's edges. */
typedef struct {
    const int8_t *cells;
    int32_t rows;
    int32_t columns;
} region;

static region cut(const ek_window *w, const int8_t *x, int32_t out_y, int32_t out_x)
{
    const int32_t top = out_y * w->stride_h - w->pad_top;
    const int32_t left = out_x * w->stride_w - w->pad_left;
    const int32_t y0 = top < 0 ? 0 : top;
    const int32_t x0 = left < 0 ? 0 : left;
    const int32_t y1 = top + w->kernel_h < w->in_h ? top + w->kernel_h : w->in_h;
    const int32_t x1 = left + w->kernel_w < w->in_w ? left + w->kernel_w : w->in_w;
    region r;
    r.cells = &x[(y0 * w->in_w + x0) * w->in_c];
    r.rows = y1 - y0;
    r.columns = x1 - x0;
    return r;
}

#if EK_MVE

/* The sum of one channel; those of the next three are found with every fourth. */
static int32_t sum_of(const ek_window *w, const region *r, int32_t channel, int32_t *sums)
{
    if (channel % 4 == 0) {
        const mve_pred16_t mask = vctp32q((uint32_t)(w->in_c - channel));
        const int8_t *row = &r->cells[channel];
        int32x4_t sum = vdupq_n_s32(0);
        for (int32_t y = 0; y < r->rows; y++) {
            const int8_t *cell = row;
            for (int32_t x = 0; x < r->columns; x++) {
                sum = vaddq_s32(sum, vldrbq_z_s32(cell, mask));
                cell += w->in_c;
            }
            row += w->in_w * w->in_c;
        }
        vstrwq_s32(sums, sum);
    }
    return sums[channel % 4];
}

#else

static int32_t sum_of(const ek_window *w, const region *r, int32_t channel, int32_t *sums)
{
    const int8_t *row = &r->cells[channel];
    int32_t sum = 0;
    (void)sums;
    for (int32_t y = 0; y < r->rows; y++) {
        const int8_t *cell = row;
        for (int32_t x = 0; x < r->columns; x++) {
            sum += *cell;
            cell += w->in_c;
        }
        row += w->in_w * w->in_c;
    }
    return sum;
}

#endif

/* C's division truncates towards zero: this rounds to nearest, halves away from zero. */
static int32_t mean_of(int32_t sum, int32_t n)
{
    return sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n;
}

static void pixel(const ek_avgpool_s8_params *p, const region *r, int8_t *y)
{
    const int32_t n = r->rows * r->columns;
    int32_t sums[4];
    for (int32_t c = 0; c < p->window.in_c; c++) {
        const int32_t sum = sum_of(&p->window, r, c, sums);
        int32_t v;
        if (p->scaled != 0) {
            const ek_scale scale = ek_scale_of(&p->requant, 0);
            v = ek_apply(&scale, sum - n * p->input_zero_point);
        } else {
            v = mean_of(sum, n);
        }
        y[c] = (int8_t)ek_clamp(v, p->low, p->high);
    }
}

void ek_avgpool_s8(const ek_avgpool_s8_params *p, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    for (int32_t out_y = 0; out_y < w->out_h; out_y++) {
        for (int32_t out_x = 0; out_x < w->out_w; out_x++) {
            const region r = cut(w, x, out_y, out_x);
            pixel(p, &r, y);
            y += w->in_c;
        }
    }
}
