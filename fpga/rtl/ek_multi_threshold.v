// Each of LANES signed elements becomes OFFSET plus the number of rising thresholds that it reaches.
//
// A binary search, one step a clock: STEPS clocks a word for up to 2**STEPS - 1 thresholds, each lane
// with a table of its own. The words of one round (GROUPS of them) have their own thresholds each:
// TABLES holds, for lane i, group g and place k (1 .. 2**STEPS - 1), the k-th lowest threshold, signed
// and one bit wider than the elements, in bits
// [((i * GROUPS + g) * 2**STEPS + k) * (IN_BITS + 1) +: IN_BITS + 1]; thresholds that are not there are
// larger than any element. BLOCK 1 asks for block RAM.
// A word is taken in the clock in which the one before is done; its result is there STEPS + 1 clocks
// after it. Cost: the tables and about LANES * (2.5 * IN_BITS + 3 * OUT_BITS) + 20 LUT4.
`default_nettype none

module ek_multi_threshold #(
    parameter LANES = 1,
    parameter IN_BITS = 12,
    parameter OUT_BITS = 4,
    parameter STEPS = 4,
    parameter GROUPS = 1,
    parameter BLOCK = 0,
    parameter [OUT_BITS-1:0] OFFSET = {OUT_BITS{1'b0}},
    parameter [LANES*GROUPS*(1<<STEPS)*(IN_BITS+1)-1:0] TABLES = 0
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      in_valid,
    output wire                      in_ready,
    input  wire [ LANES*IN_BITS-1:0] in_data,
    output reg                       out_valid,
    input  wire                      out_ready,
    output wire [LANES*OUT_BITS-1:0] out_data
);
    localparam GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1;
    localparam PLACES = GROUPS << STEPS;
    localparam [31:0] GROUP_LAST = GROUPS - 1;
    localparam [STEPS-1:0] TOP = 1 << (STEPS - 1);

    reg busy;
    reg [STEPS-1:0] now;  // the bit that is being found, one-hot
    reg [GROUP_BITS-1:0] group, next_group;
    wire last = busy & now[0];
    wire free = ~out_valid | out_ready;
    wire take = in_valid & in_ready;
    wire done = last & free;
    wire step = busy & ~last;
    assign in_ready = ~busy | done;

    always @(posedge clk) begin
        if (take) begin
            busy <= 1'b1;
            now <= TOP;
            group <= next_group;
            next_group <= next_group == GROUP_LAST[GROUP_BITS-1:0] ? {GROUP_BITS{1'b0}}
                : next_group + 1'b1;
        end else if (step) now <= now >> 1;
        else if (done) busy <= 1'b0;
        if (done) out_valid <= 1'b1;
        else if (out_ready) out_valid <= 1'b0;
        if (rst) begin
            busy <= 1'b0;
            next_group <= {GROUP_BITS{1'b0}};
            out_valid <= 1'b0;
        end
    end

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            localparam FIRST = i * PLACES * (IN_BITS + 1);
            reg [IN_BITS-1:0] kept;
            reg [STEPS-1:0] code;
            reg [OUT_BITS-1:0] found;
            wire [IN_BITS:0] level;
            wire [IN_BITS:0] x = {kept[IN_BITS-1], kept};
            wire [STEPS-1:0] better = ($signed(x) >= $signed(level)) ? code | now : code;
            wire [GROUP_BITS+STEPS-1:0] place = take ? {next_group, TOP} : {group, better | (now >> 1)};
            if (BLOCK != 0) begin : g_block
                (* ram_style = "block" *) reg [IN_BITS:0] memory[0:PLACES-1];
                reg [IN_BITS:0] word;
                integer k;
                initial
                    for (k = 0; k < PLACES; k = k + 1)
                        memory[k] = TABLES[FIRST+k*(IN_BITS+1)+:IN_BITS+1];
                always @(posedge clk) if (take | step) word <= memory[place[$clog2(PLACES)-1:0]];
                assign level = word;
            end else begin : g_logic
                (* ram_style = "logic" *) reg [IN_BITS:0] memory[0:PLACES-1];
                reg [IN_BITS:0] word;
                integer k;
                initial
                    for (k = 0; k < PLACES; k = k + 1)
                        memory[k] = TABLES[FIRST+k*(IN_BITS+1)+:IN_BITS+1];
                always @(posedge clk) if (take | step) word <= memory[place[$clog2(PLACES)-1:0]];
                assign level = word;
            end
            wire [OUT_BITS:0] wide = {{OUT_BITS + 1 - STEPS{1'b0}}, better};
            wire unused = &{1'b0, place[GROUP_BITS+STEPS-1:$clog2(PLACES)-1], wide[OUT_BITS], 1'b0};
            always @(posedge clk) begin
                if (take) begin
                    kept <= in_data[i*IN_BITS+:IN_BITS];
                    code <= {STEPS{1'b0}};
                end else if (step) code <= better;
                if (done) found <= wide[OUT_BITS-1:0] + OFFSET;
            end
            assign out_data[i*OUT_BITS+:OUT_BITS] = found;
        end
    endgenerate
endmodule

`default_nettype wire
