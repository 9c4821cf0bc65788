/* Low-bit depthwise convolution of any values by weights of a byte. */
#define EK_CODE_PIXELS 1

#include "ek_code_rows.h"
#include "ek_code_low.h"

/* Adds a cell's values times its weights to the sums of all channels. */
EK_LOOP void add_cell(const int8_t *values, const int8_t *w, int32_t in_c, int32_t multiplier,
                      int32_t *sums)
{
    for (int32_t c = 0; c < in_c; c++) {
        const int32_t v = values[c];
        for (int32_t m = 0; m < multiplier; m++) {
            *sums++ += v * *w++;
        }
    }
}

static void add_window(const ek_low_depthwise_params *p, const int8_t *x, int32_t pixel,
                       int32_t *sums, int8_t *room)
{
    const ek_codes *c = &p->low.codes;
    const ek_window *w = &c->window;
    const ek_code_place at = ek_code_place_of(c, pixel);
    const int8_t *weights = p->weights;
    for (int32_t i = 0; i < w->kernel_h; i++) {
        const int8_t *values = ek_code_row(c, x, at.row + i * w->dilation_h, at.column, room);
        for (int32_t j = 0; j < w->kernel_w; j++) {
            add_cell(values, weights, w->in_c, p->multiplier, sums);
            values += w->in_c;
            weights += c->out_c;
        }
    }
}

void ek_low_depthwise(const ek_low_depthwise_params *p, int32_t *scratch, const int8_t *x,
                      int8_t *y)
{
    const ek_codes *c = &p->low.codes;
    const int32_t pixels = c->window.out_h * c->window.out_w;
    ek_code_group g = {scratch, 1, {0}, 0, 0, 1};
    for (int32_t pixel = 0; pixel < pixels; pixel++) {
        for (int32_t i = 0; i < c->out_c; i++) {
            scratch[i] = 0;
        }
        add_window(p, x, pixel, scratch, (int8_t *)&scratch[c->out_c]);
        for (g.first = 0; g.first < c->out_c; g.first += EK_CODE_CHANNELS) {
            const int32_t left = c->out_c - g.first;
            g.sums = &scratch[g.first];
            g.count = left < EK_CODE_CHANNELS ? left : EK_CODE_CHANNELS;
            ek_code_compared(&p->low, &g, y);
        }
        y += p->low.pixel_bytes;
    }
}
