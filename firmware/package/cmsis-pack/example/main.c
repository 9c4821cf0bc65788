/* The model on its stored input: prints what it answers beside what it must answer. */
#include <stdio.h>

#include "model.h"
#include "model_example.h"

int main(void)
{
    const int32_t wrong = model_example_run();

    for (int32_t i = 0; i < MODEL_OUTPUT_BYTES; i++) {
        printf("output %d: %d, expected %d\n", (int)i, model_output()[i], model_example_output[i]);
    }
    printf("%s\n", wrong == 0 ? "PASS" : "FAIL");
    return wrong == 0 ? 0 : 1;
}
