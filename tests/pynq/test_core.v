// A network for the tests of the shell: IN_BEATS beats are added up in halves, and OUT_BEATS beats say the sums. It takes a beat every fourth clock. Weights loaded are added to the first.
`default_nettype none
`ifndef IN_WIDTH
`define IN_WIDTH 40
`define IN_BEATS 3
`define OUT_WIDTH 24
`define OUT_BEATS 2
`endif

module ek_core (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  in_valid,
    output wire                  in_ready,
    input  wire [`IN_WIDTH-1:0]  in_data,
    output wire                  out_valid,
    input  wire                  out_ready,
    output wire [`OUT_WIDTH-1:0] out_data,
    input  wire                  load_valid,
    input  wire [15:0]           load_data
);
    reg [`OUT_WIDTH-1:0] sum;
    reg [15:0]           weight;
    reg [7:0]            taken;
    reg [7:0]            given;

    reg [1:0]            pause;

    assign in_ready = taken != `IN_BEATS && pause == 2'd0;
    assign out_valid = taken == `IN_BEATS;
    assign out_data = sum ^ {(`OUT_WIDTH / 8) {given}};

    wire [`OUT_WIDTH-1:0] low = in_data[`OUT_WIDTH-1:0];
    wire [`OUT_WIDTH-1:0] high = {{(2 * `OUT_WIDTH - `IN_WIDTH) {1'b0}}, in_data[`IN_WIDTH-1:`OUT_WIDTH]};

    always @(posedge clk) begin
        if (pause != 2'd0) begin
            pause <= pause - 2'd1;
        end
        if (load_valid) begin
            weight <= load_data;
        end
        if (in_valid && in_ready) begin
            sum <= (taken == 8'd0 ? {{(`OUT_WIDTH - 16) {1'b0}}, weight} : sum) + low + high;
            taken <= taken + 8'd1;
            pause <= 2'd3;
        end
        if (out_valid && out_ready) begin
            given <= given + 8'd1;
            if (given == `OUT_BEATS - 1) begin
                given <= 8'd0;
                taken <= 8'd0;
            end
        end
        if (rst) begin
            pause <= 2'd0;
            taken <= 8'd0;
            given <= 8'd0;
        end
    end

    initial weight = 16'd0;
endmodule

`default_nettype wire
