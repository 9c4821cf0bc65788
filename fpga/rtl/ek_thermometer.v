// Compares each of LANES signed elements with LEVELS thresholds: a bit for each, all at once.
//
// Bit l of lane i is out_data[i * LEVELS + l]: 1 where the element is at least threshold l. The
// thresholds come as a stream, a word for each input word, signed and one bit wider than the elements
// (so that one can be out of reach): threshold l of lane i in bits [(i * LEVELS + l) * (BITS + 1)].
// The result is there the clock after the element. Cost: about LANES * LEVELS * (BITS + 2) LUT4 where
// thresholds change, a third of that where they are constant.
`default_nettype none

module ek_thermometer #(
    parameter LANES = 1,
    parameter BITS = 8,
    parameter LEVELS = 1
) (
    input  wire                             clk,
    input  wire                             rst,
    input  wire                             in_valid,
    output wire                             in_ready,
    input  wire [           LANES*BITS-1:0] in_data,
    input  wire                             table_valid,
    output wire                             table_ready,
    input  wire [LANES*LEVELS*(BITS+1)-1:0] table_data,
    output reg                              out_valid,
    input  wire                             out_ready,
    output reg  [         LANES*LEVELS-1:0] out_data
);
    wire [LANES*LEVELS-1:0] reached;
    wire take = in_valid & in_ready;
    assign in_ready = table_valid & (~out_valid | out_ready);
    assign table_ready = take;

    genvar i, l;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            wire [BITS:0] x = {in_data[i*BITS+BITS-1], in_data[i*BITS+:BITS]};
            for (l = 0; l < LEVELS; l = l + 1) begin : g_level
                wire [BITS:0] level = table_data[(i*LEVELS+l)*(BITS+1)+:BITS+1];
                assign reached[i*LEVELS+l] = $signed(x) >= $signed(level);
            end
        end
    endgenerate

    always @(posedge clk) begin
        if (take) out_data <= reached;
        if (take) out_valid <= 1'b1;
        else if (out_ready) out_valid <= 1'b0;
        if (rst) out_valid <= 1'b0;
    end
endmodule

`default_nettype wire
