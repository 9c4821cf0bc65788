// Puts a beat together from words, first word lowest, for inputs wider than the store.
//
// Where OUT_WIDTH is no multiple of IN_WIDTH, the first word of a beat has the rest in its upper
// bits. The last word goes straight through, so that a beat takes as many clocks as it has words and
// is stable as long as the store's output is. Cost: a flip-flop for each bit of the other words.
`default_nettype none

module ek_widen #(
    parameter integer IN_WIDTH = 16,
    parameter integer OUT_WIDTH = 32    // more than IN_WIDTH
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 in_valid,
    output wire                 in_ready,
    input  wire [IN_WIDTH-1:0]  in_data,
    output wire                 out_valid,
    input  wire                 out_ready,
    output wire [OUT_WIDTH-1:0] out_data
);
    localparam integer KEPT = OUT_WIDTH - IN_WIDTH;
    localparam integer PIECES = (OUT_WIDTH + IN_WIDTH - 1) / IN_WIDTH;
    localparam integer BITS = $clog2(PIECES);
    localparam integer LAST = PIECES - 1;

    reg [KEPT-1:0] kept;
    reg [BITS-1:0] filled;
    wire last = (filled == LAST[BITS-1:0]);
    wire [OUT_WIDTH-1:0] joined = {in_data, kept};

    assign out_valid = last && in_valid;
    assign in_ready = !last || out_ready;
    assign out_data = joined;

    always @(posedge clk) begin
        if (in_valid && in_ready) begin
            if (!last) kept <= joined[OUT_WIDTH-1:IN_WIDTH];
            filled <= last ? {BITS{1'b0}} : filled + 1'b1;
        end
        if (rst) filled <= {BITS{1'b0}};
    end
endmodule
`default_nettype wire
