"""Where the arrays that compiled functions share have what.

Structures of several arrays take numba long to compile, so what belongs together is an array, and
these are places in it.
"""

# What `perform` does
TRAIN, GO_THROUGH, GRADIENT, UPDATE, EVALUATE = range(5)

# Rows of `net`, int64 (8, n_layers + 1). Column i has the width of what goes into layer i, counted
# from 0, and its place in `work`; for a hidden layer its activation, how many of 2^16 units dropout
# drops, and in column i + 1 the place of the slopes; the first column of the others has where two
# blocks for gradients begin, their size, and the number of weights
WIDTHS, PLACES, ACTIVATION, DROPPED, SLOPES, SPARE, BLOCK, N_WEIGHTS = range(8)

# Places in `rule`, float64: what is minimised, and how
(
    LOSS, ONE_OF, LABELS, LINK, NUMBER, ALPHA, DECAY, MAX_NORM, SOLVER, BETA_1, BETA_2, EPSILON,
    MOMENTUM, NESTEROV, BATCH_SIZE, SHUFFLES, STOPS_EARLY, TOL, PATIENCE, SCHEDULE, INITIAL_RATE,
    POWER_T, N_EPOCHS, STOPS_BY_LOSS,
) = range(24)  # fmt: skip

# Places in `counters`, int64
EPOCHS, BATCH, COUNT, STEPS, UPDATES, SEEN, STOP, LOGGED = range(8)
# and what counters[STOP] may be
GOES_ON, CONVERGED, DIVERGED = range(3)

# Places in `sums`, float64: of the epoch's batches, and what goes on from epoch to epoch
TOTAL, WEIGHT, RIGHT, BEST, RATE, FIRST_RATE, ALL_WEIGHT, HELD_OUT_WEIGHT = range(8)

# Columns of `log`, float64
TRAIN_LOSS, TRAIN_SCORE, VALID_LOSS, VALID_SCORE, LEARNING_RATE = range(5)

# Rows of `plan`, int64: of an encoder before the first layer; None without one. Sizes; where its
# matrices begin in `work` and its parameters in theta; of each number: its first bin, how many it
# has, and among what the encoder returns its first bin's share and its indicator (-1 is none); of
# each category of zeros and a one: its column, and where it begins among what the encoder returns;
# of each embedded one: its column, and the first of its rows in the table
(
    SIZES, MEMORY, PARAMETERS, FIRST_BIN, BIN_COUNT, BIN_OUTPUT, INDICATOR, HOT_COLUMN, HOT_OUTPUT,
    EMBEDDED_COLUMN, TABLE_OFFSET,
) = range(11)  # fmt: skip
# Columns of these rows
(
    N_NUMBERS, CLIPS, N_LEARNED, N_BINS, N_HOT, N_EMBEDDED, EMBEDDING, TABLE_ROWS, N_WAVES,
    N_PERIODIC,
) = range(10)  # fmt: skip
LEARNED, COSINES, SINES, ANGLES, COLUMNS, TRANSPOSED, RUNNING_SUMS, BACK, BACK_SUMS = range(9)
TABLE, FREQUENCIES, PROJECTIONS, PHASES, SHIFTS = range(5)
# `constants` has centers and factors of numbers; factors, offsets and left edges of bins

SCHEDULES = ("constant", "horizon", "invscaling", "adaptive")
CONSTANT, HORIZON, INVSCALING, ADAPTIVE = range(4)
SOLVERS = ("sgd", "adam", "adamw")
SGD, ADAM, ADAMW = range(3)

ACTIVATIONS = (
    "identity", "relu", "logistic", "tanh", "leaky_relu", "elu", "celu", "selu", "gelu", "silu",
    "swish", "mish", "softplus", "softsign", "relu6", "hardtanh", "hardswish",
)  # fmt: skip
(
    IDENTITY, RELU, LOGISTIC, TANH, LEAKY_RELU, ELU, CELU, SELU, GELU, SILU,
    SWISH, MISH, SOFTPLUS, SOFTSIGN, RELU6, HARDTANH, HARDSWISH,
) = range(17)  # fmt: skip

LOSSES = (
    "log_loss", "focal", "brier", "hinge", "squared_hinge", "squared_error", "absolute_error",
    "huber", "log_cosh", "poisson", "gamma", "quantile", "mape", "msle", "cosine",
)  # fmt: skip
(
    LOG_LOSS, FOCAL, BRIER, HINGE, SQUARED_HINGE, SQUARED_ERROR, ABSOLUTE_ERROR,
    HUBER, LOG_COSH, POISSON, GAMMA, QUANTILE, MAPE, MSLE, COSINE,
) = range(15)  # fmt: skip

LINKS = ("identity", "exp", "expm1")
LINEAR, EXP, EXPM1 = range(3)

# The table of the logistic function for word vectors: up to this logit, so many places to 1.
SIGMOID_END, SIGMOID_STEPS = 16, 64

# float32 numbers of a row that are computed with at once; rows of word vectors are padded to these.
N_LANES = 16
