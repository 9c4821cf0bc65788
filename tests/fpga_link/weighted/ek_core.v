// A stand-in for a folded network: 3 beats of 8 bits in, 2 beats of 8 bits out, each the sum of the
// input's bytes times the first or second loaded word, modulo 256. Words beyond the second of the
// four are only counted, and a reset keeps all of them, as single-port RAM does.
`default_nettype none

module ek_core (
    input  wire        clk,
    input  wire        rst,
    input  wire        in_valid,
    output wire        in_ready,
    input  wire [7:0]  in_data,
    output wire        out_valid,
    input  wire        out_ready,
    output wire [7:0]  out_data,
    input  wire        load_valid,
    input  wire [15:0] load_data
);
    reg [15:0] weight0 = 16'd0, weight1 = 16'd0;
    reg [2:0] words = 3'd0;
    reg [1:0] beats;
    reg half;
    reg [7:0] sum;
    wire [15:0] product = {8'd0, sum} * (half ? weight1 : weight0);

    assign in_ready = (beats != 2'd3);
    assign out_valid = (beats == 2'd3);
    assign out_data = product[7:0];

    always @(posedge clk) begin
        if (load_valid) begin
            words <= words + 3'd1;
            if (words == 3'd0) weight0 <= load_data;
            if (words == 3'd1) weight1 <= load_data;
        end
        if (in_valid && in_ready) begin
            beats <= beats + 2'd1;
            sum <= (beats == 2'd0) ? in_data : sum + in_data;
        end
        if (out_valid && out_ready) begin
            half <= !half;
            if (half) beats <= 2'd0;
        end
        if (rst) begin
            beats <= 2'd0;
            half <= 1'b0;
        end
    end
    wire unused = &product;
endmodule
`default_nettype wire
