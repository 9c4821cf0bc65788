/* Low-bit convolution and fully connected layer with weights as codes: see ek_codes.h. */
#include "ek_code_dsp.h"
#include "ek_code_low.h"
#include "ek_code_walk.h"

void ek_low_codes_dsp(const ek_low_codes_dsp_params *p, int32_t *scratch, const int8_t *x,
                      int8_t *y)
{
    ek_code_walk(&p->codes, scratch, x, ek_code_compared, p, y, p->pixel_bytes);
}
