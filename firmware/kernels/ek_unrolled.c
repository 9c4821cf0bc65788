/* Low-bit convolution and fully connected layer whose weights are generated code: see ek_codes.h.
 */
#define EK_CODE_PIXELS 1

#include "ek_code_rows.h"
#include "ek_code_low.h"

/* The values of a window, one row after the other; those of a single row may be in x. */
static const int8_t *gather(const ek_codes *p, const int8_t *x, int32_t pixel, int8_t *room)
{
    const ek_code_place at = ek_code_place_of(p, pixel);
    const int32_t run = ek_code_run(p);
    int8_t *out = &room[run];
    if (p->window.kernel_h == 1) {
        return ek_code_row(p, x, at.row, at.column, room);
    }
    for (int32_t ky = 0; ky < p->window.kernel_h; ky++) {
        const int32_t row = at.row + ky * p->window.dilation_h;
        const int8_t *from = ek_code_row(p, x, row, at.column, room);
        for (int32_t i = 0; i < run; i++) {
            *out++ = from[i];
        }
    }
    return &room[run];
}

void ek_unrolled(const ek_unrolled_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_codes *c = &p->low.codes;
    const int32_t pixels = c->window.out_h * c->window.out_w;
    int8_t *room = (int8_t *)&scratch[EK_CODE_CHANNELS];
    ek_code_group g = {scratch, 1, {0}, 0, 0, 1};
    for (int32_t pixel = 0; pixel < pixels; pixel++) {
        const int8_t *values = gather(c, x, pixel, room);
        for (g.first = 0; g.first < c->out_c; g.first += EK_CODE_CHANNELS) {
            const int32_t left = c->out_c - g.first;
            g.count = left < EK_CODE_CHANNELS ? left : EK_CODE_CHANNELS;
            p->sums[g.first / EK_CODE_CHANNELS](values, scratch);
            ek_code_compared(&p->low, &g, y);
        }
        y += p->low.pixel_bytes;
    }
}
