// Index of the largest of COUNT signed scores; of equal ones the lowest index.
//
// A tournament: every step compares neighbours and hands on the larger one, one register a step,
// $clog2(COUNT) steps. score[i] is in_data[i*WIDTH +: WIDTH], two's complement.
// Timing: one result a clock; the whole block stands still while out_valid && !out_ready.
// Cost: about (COUNT - 1) * (WIDTH + 2) look-up tables; comparisons only use carries, because the
// right one of two neighbours is registered inverted.
`default_nettype none

module ek_argmax #(
    parameter COUNT = 10,
    parameter WIDTH = 8
) (
    input  wire clk,
    input  wire rst,
    input  wire in_valid,
    output wire in_ready,
    input  wire [COUNT*WIDTH-1:0] in_data,
    output wire out_valid,
    input  wire out_ready,
    output wire [$clog2(COUNT)-1:0] out_data
);
    localparam STEPS = $clog2(COUNT);

    // How many scores are left before step `level`.
    function integer left(input integer level);
        left = (COUNT + (1 << level) - 1) >> level;
    endfunction

    // 1 if score `place` before step `level` is the right one of its next comparison.
    function integer is_right(input integer level, input integer place);
        integer at, where, found;
        begin
            where = place;
            found = 0;
            for (at = level; at < STEPS; at = at + 1)
                if (found == 0) begin
                    if (where % 2 == 1)
                        found = 2;
                    else if (where + 1 < left(at))
                        found = 1;
                    where = where / 2;
                end
            is_right = (found == 2) ? 1 : 0;
        end
    endfunction

    reg  [STEPS-1:0] valid;
    wire move = out_ready | ~valid[STEPS-1];
    assign in_ready = move;
    assign out_valid = valid[STEPS-1];

    generate
        if (STEPS > 1) begin : gen_valid
            always @(posedge clk)
                if (rst)
                    valid <= {STEPS{1'b0}};
                else if (move)
                    valid <= {valid[STEPS-2:0], in_valid};
        end else begin : gen_valid
            always @(posedge clk)
                if (rst)
                    valid <= 1'b0;
                else if (move)
                    valid <= in_valid;
        end
    endgenerate

    genvar level, place;
    generate
        for (level = 0; level <= STEPS; level = level + 1) begin : step
            for (place = 0; place < left(level); place = place + 1) begin : at
                // The score, its sign bit flipped so that it compares without a sign.
                wire [WIDTH-1:0] score;
                wire [STEPS-1:0] index;
                if (level == 0) begin : gen_first
                    assign score = in_data[place*WIDTH +: WIDTH] ^ {1'b1, {(WIDTH-1){1'b0}}};
                    assign index = place;
                end else begin : gen_next
                    localparam [WIDTH-1:0] FLIP = {WIDTH{is_right(level, place) == 1}};
                    wire [WIDTH-1:0] larger;
                    wire [STEPS-1:0] winner;
                    if (2 * place + 1 < left(level - 1)) begin : gen_pair
                        wire [WIDTH-1:0] a = step[level-1].at[2*place].score;
                        wire [WIDTH-1:0] b = step[level-1].at[2*place+1].score;
                        wire a_wins;
                        wire [WIDTH-1:0] difference_unused;
                        assign {a_wins, difference_unused} =
                            {1'b0, a} + {1'b0, ~b} + {{WIDTH{1'b0}}, 1'b1};
                        assign larger = a_wins ? a : b;
                        assign winner = a_wins ? step[level-1].at[2*place].index
                                               : step[level-1].at[2*place+1].index;
                    end else begin : gen_alone
                        assign larger = step[level-1].at[2*place].score;
                        assign winner = step[level-1].at[2*place].index;
                    end
                    reg [WIDTH-1:0] kept;
                    reg [STEPS-1:0] number;  // inverted: a carry is then its lowest bit
                    always @(posedge clk)
                        if (move) begin
                            kept <= larger ^ FLIP;
                            number <= (level < STEPS) ? ~winner : winner;
                        end
                    assign score = kept ^ FLIP;
                    assign index = (level < STEPS) ? ~number : number;
                end
            end
        end
    endgenerate

    assign out_data = step[STEPS].at[0].index;
    wire [WIDTH-1:0] largest_unused = step[STEPS].at[0].score;
endmodule

`default_nettype wire
