// The largest of each WINDOW words in a row, for each of LANES elements: a pooling after
// ek_sliding_window with CHANNELS_OUTER.
//
// BITS 1: a bit is -1 or +1 and the maximum is the or; else elements are signed. The result is
// held within LOW..HIGH (signed constants of BITS bits). It is there the clock after the window's
// last word; nothing stalls unless the one before is still waiting.
// Cost: about LANES * BITS * 3 LUT4.
`default_nettype none

module ek_max_pool #(
    parameter LANES = 1,
    parameter BITS = 1,
    parameter WINDOW = 4,
    parameter CLAMP = 0,
    parameter [BITS-1:0] LOW = {BITS{1'b0}},
    parameter [BITS-1:0] HIGH = {BITS{1'b1}}
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  in_valid,
    output wire                  in_ready,
    input  wire [LANES*BITS-1:0] in_data,
    output reg                   out_valid,
    input  wire                  out_ready,
    output reg  [LANES*BITS-1:0] out_data
);
    localparam COUNT_BITS = WINDOW > 1 ? $clog2(WINDOW) : 1;
    localparam [31:0] LAST = WINDOW - 1;

    reg [COUNT_BITS-1:0] count;
    reg [LANES*BITS-1:0] best;
    wire first = count == {COUNT_BITS{1'b0}};
    wire last = count == LAST[COUNT_BITS-1:0];
    wire take = in_valid & in_ready;
    wire [LANES*BITS-1:0] larger;
    wire [LANES*BITS-1:0] result;
    assign in_ready = ~last | ~out_valid | out_ready;

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            wire [BITS-1:0] x = in_data[i*BITS+:BITS];
            wire [BITS-1:0] b = best[i*BITS+:BITS];
            if (BITS == 1) begin : g_bit
                assign larger[i] = x | (b & {~first});
                assign result[i] = larger[i];
            end else begin : g_number
                wire [BITS-1:0] m = (first | ($signed(x) > $signed(b))) ? x : b;
                assign larger[i*BITS+:BITS] = m;
                if (CLAMP != 0) begin : g_clamp
                    wire [BITS-1:0] up = ($signed(m) < $signed(LOW)) ? LOW : m;
                    assign result[i*BITS+:BITS] = ($signed(up) > $signed(HIGH)) ? HIGH : up;
                end else begin : g_plain
                    assign result[i*BITS+:BITS] = m;
                end
            end
        end
    endgenerate

    always @(posedge clk) begin
        if (take) begin
            best  <= larger;
            count <= last ? {COUNT_BITS{1'b0}} : count + 1'b1;
        end
        if (take & last) begin
            out_data  <= result;
            out_valid <= 1'b1;
        end else if (out_ready) out_valid <= 1'b0;
        if (rst) begin
            count <= {COUNT_BITS{1'b0}};
            out_valid <= 1'b0;
        end
    end
endmodule

`default_nettype wire
