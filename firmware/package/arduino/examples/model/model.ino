/* The model on its stored input: prints what it answers beside what it must answer. */
#include <model.h>

#include "model_example.h"

void setup()
{
    Serial.begin(115200);
    while (!Serial) {
    }
    const int32_t wrong = model_example_run();
    for (int32_t i = 0; i < MODEL_OUTPUT_BYTES; i++) {
        Serial.print("output ");
        Serial.print(i);
        Serial.print(": ");
        Serial.print(model_output()[i]);
        Serial.print(", expected ");
        Serial.println(model_example_output[i]);
    }
    Serial.println(wrong == 0 ? "PASS" : "FAIL");
}

void loop()
{
}
