// Changes the width of a stream: OUT_WIDTH is a multiple of IN_WIDTH or the other way round.
//
// The element that came first lies in the low bits. Widening collects OUT_WIDTH / IN_WIDTH words
// and shows the whole the clock after the last; narrowing keeps one word and sends its parts from
// the low end. Equal widths are wires. Both sides run every clock: a word is taken in the clock in
// which the last part of the one before leaves.
// Cost: a register of the wider word, and when narrowing a shift multiplexer.
`default_nettype none

module ek_width #(
    parameter IN_WIDTH = 8,
    parameter OUT_WIDTH = 32
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 in_valid,
    output wire                 in_ready,
    input  wire [ IN_WIDTH-1:0] in_data,
    output wire                 out_valid,
    input  wire                 out_ready,
    output wire [OUT_WIDTH-1:0] out_data
);
    localparam PARTS = OUT_WIDTH > IN_WIDTH ? OUT_WIDTH / IN_WIDTH : IN_WIDTH / OUT_WIDTH;
    localparam COUNT_BITS = PARTS > 1 ? $clog2(PARTS) : 1;
    localparam [31:0] LAST = PARTS - 1;

    generate
        if (IN_WIDTH == OUT_WIDTH) begin : g_same
            assign in_ready  = out_ready;
            assign out_valid = in_valid;
            assign out_data  = in_data;
            wire unused = &{1'b0, clk, rst, LAST, 1'b0};
        end else if (OUT_WIDTH > IN_WIDTH) begin : g_wider
            reg [OUT_WIDTH-1:0] kept;
            reg [COUNT_BITS-1:0] count;
            reg full;
            wire take = in_valid & in_ready;
            wire last = count == LAST[COUNT_BITS-1:0];
            assign in_ready  = ~full | out_ready;
            assign out_valid = full;
            assign out_data  = kept;
            always @(posedge clk) begin
                if (take) begin
                    kept  <= {in_data, kept[OUT_WIDTH-1:IN_WIDTH]};
                    count <= last ? {COUNT_BITS{1'b0}} : count + 1'b1;
                end
                if (take & last) full <= 1'b1;
                else if (out_ready) full <= 1'b0;
                if (rst) begin
                    count <= {COUNT_BITS{1'b0}};
                    full  <= 1'b0;
                end
            end
        end else begin : g_narrower
            reg [IN_WIDTH-1:0] kept;
            reg [COUNT_BITS-1:0] count;
            reg full;
            wire last = count == LAST[COUNT_BITS-1:0];
            assign in_ready  = ~full | (out_ready & last);
            assign out_valid = full;
            assign out_data  = kept[OUT_WIDTH-1:0];
            always @(posedge clk) begin
                if (in_valid & in_ready) begin
                    kept  <= in_data;
                    count <= {COUNT_BITS{1'b0}};
                    full  <= 1'b1;
                end else if (full & out_ready) begin
                    kept  <= {{OUT_WIDTH{1'b0}}, kept[IN_WIDTH-1:OUT_WIDTH]};
                    count <= count + 1'b1;
                    full  <= ~last;
                end
                if (rst) begin
                    count <= {COUNT_BITS{1'b0}};
                    full  <= 1'b0;
                end
            end
        end
    endgenerate
endmodule

`default_nettype wire
