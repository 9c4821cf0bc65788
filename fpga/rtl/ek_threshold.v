// One bit for each sum: set where the sum is at least its threshold, both two's complement.
//
// Parameters: CHANNELS, WIDTH (bits of a sum), THRESHOLDS (of channel i at [i*WIDTH +: WIDTH]).
// Timing: combinational. Cost: carries alone, and a look-up table a channel.
`default_nettype none

module ek_threshold #(
    parameter CHANNELS = 4,
    parameter WIDTH = 8,
    parameter [CHANNELS*WIDTH-1:0] THRESHOLDS = {(CHANNELS * WIDTH){1'b0}}
) (
    input  wire [CHANNELS*WIDTH-1:0] sums,
    output wire [CHANNELS-1:0] passed
);
    localparam [WIDTH-1:0] SIGN = {1'b1, {(WIDTH - 1){1'b0}}};
    genvar i;
    generate
        for (i = 0; i < CHANNELS; i = i + 1) begin : at
            // sum >= threshold: sum + not threshold + 1 carries, signs flipped
            localparam [WIDTH-1:0] OTHER = ~(THRESHOLDS[i*WIDTH +: WIDTH] ^ SIGN);
            wire [WIDTH-1:0] sum = sums[i*WIDTH +: WIDTH] ^ SIGN;
            wire [WIDTH-1:0] difference_unused;
            assign {passed[i], difference_unused} =
                {1'b0, sum} + {1'b0, OTHER} + {{WIDTH{1'b0}}, 1'b1};
        end
    endgenerate
endmodule

`default_nettype wire
