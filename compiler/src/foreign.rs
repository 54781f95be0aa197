//! What PyTorch, NumPy, JAX and Keras call things, and what to write here: for messages alone.

/// What a function of another system is here.
pub(crate) struct Advice {
    /// What to do about it.
    pub(crate) help: String,
    /// The function of the language that does the same, where only the name differs.
    pub(crate) name: Option<&'static str>,
}

/// Functions of other systems, and the functions of the language that do the same.
const RENAMED: [(&str, &str); 30] = [
    ("sigma", "sigmoid"),
    ("logistic", "sigmoid"),
    ("expit", "sigmoid"),
    ("cat", "concat"),
    ("concatenate", "concat"),
    ("hstack", "concat"),
    ("where", "select"),
    ("if_else", "select"),
    ("ln", "log"),
    ("maximum", "max"),
    ("minimum", "min"),
    ("average", "mean"),
    ("inner", "dot"),
    ("vdot", "dot"),
    ("T", "transpose"),
    ("lse", "logsumexp"),
    ("sq", "square"),
    ("clip", "clamp"),
    ("power", "pow"),
    ("swish", "silu"),
    ("sgn", "sign"),
    ("detach", "stop_gradient"),
    ("vstack", "concat_rows"),
    ("identity", "eye"),
    ("view", "reshape"),
    ("range", "arange"),
    ("hardtanh", "hard_tanh"),
    ("hardsigmoid", "hard_sigmoid"),
    ("leakyrelu", "leaky_relu"),
    ("repeat_interleave", "repeat"),
];

/// Functions of other systems that are written otherwise here.
const WRITTEN: [(&str, &str); 62] = [
    ("matmul", "write `A @ B`"),
    ("mm", "write `A @ B`"),
    ("mv", "write `W @ x`"),
    ("bmm", "write `A @ B`: a cell is written for one example, without a batch"),
    ("einsum", "write `A @ B`, `dot(u, v)` or `outer(u, v)`"),
    ("linear", DENSE),
    ("dense", DENSE),
    ("zeros_like", "write `0 * x`"),
    ("ones_like", "write `0 * x + 1`"),
    ("add", "write `a + b`"),
    ("sub", "write `a - b`"),
    ("subtract", "write `a - b`"),
    ("mul", "write `a * b`"),
    ("multiply", "write `a * b`"),
    ("div", "write `a / b`"),
    ("divide", "write `a / b`"),
    ("neg", "write `-x`"),
    ("t", "write `transpose(W)`"),
    ("unsqueeze", "write `reshape(v, [N, 1])` or `reshape(v, [1, N])`"),
    ("expand_dims", "write `reshape(v, [N, 1])` or `reshape(v, [1, N])`"),
    ("squeeze", "write `reshape(m, [N])`"),
    ("chunk", PARTS),
    ("split", PARTS),
    ("logical_and", "write a product of comparisons: `(a < b) * (b < c)`"),
    ("logical_or", "write the larger of two comparisons: `max(a < b, b < c)`"),
    ("lerp", "write `a + weight * (b - a)`"),
    ("mod", REMAINDER),
    ("fmod", REMAINDER),
    ("remainder", REMAINDER),
    ("ceil", "write `-floor(-x)`"),
    ("round", "write `floor(x + 0.5)`"),
    ("tan", "write `sin(x) / cos(x)`"),
    ("log2", "write `log(x) / log(2)`"),
    ("log10", "write `log(x) / log(10)`"),
    ("logsigmoid", "write `-softplus(-x)`"),
    ("log_sigmoid", "write `-softplus(-x)`"),
    ("relu6", "write `clamp(x, 0, 6)`"),
    ("var", "write `mean(square(v - mean(v)))`"),
    ("std", "write `sqrt(mean(square(v - mean(v))) + 1e-5)`"),
    ("diag", "write `eye(N) * v`; a diagonal matrix times a vector is `v * x`"),
    ("cumprod", "write `exp(cumsum(log(v)))`, for numbers above 0"),
    ("masked_fill", "write `select(mask, value, x)`"),
    ("tile", "write `concat(v, v)`, or `repeat(v, K)` for each element K times in a row"),
    ("cumax", "write `cumsum(softmax(v))`"),
    ("not", "write `1 - condition`"),
    ("logical_not", "write `1 - condition`"),
    ("rand", RANDOM),
    ("randn", RANDOM),
    ("random", RANDOM),
    ("normal", RANDOM),
    ("uniform", RANDOM),
    (
        "dropout",
        "write `x * bernoulli(1 - rate, [N]) / (1 - rate)`: in evaluation nothing is dropped",
    ),
    ("embedding", "declare `input i: index(V)` and `param table: [V, E]`, and write `table[i]`"),
    ("layernorm", NORM),
    ("layer_norm", NORM),
    ("parameter", "declare it: `param W: [H, I]`"),
    ("tensor", "a number stands as it is; a vector of numbers is `stack` or `concat` of them"),
    ("len", SIZE),
    ("shape", SIZE),
    ("size", SIZE),
    ("numel", SIZE),
    (
        "one_hot",
        "declare `input i: index(V)`: `table[i]` is the product of `table` with a one-hot vector",
    ),
];

const DENSE: &str = "declare `param W: [H, I], b: [H]`, and write `W @ x + b`";
const PARTS: &str = "the parts of a vector are slices: `v[..H]`, `v[H..2 * H]` and `v[2 * H..]`";
const SIZE: &str = "sizes are the dimensions of the declaration: for `x: [I]` write `I`, a number in an expression";
const REMAINDER: &str = "write `x - y * floor(x / y)`";
const NORM: &str =
    "write `use layer_norm from norms` above the cell, and `layer_norm(v, gain, bias)`";
const RANDOM: &str = "parameters are drawn where they are declared, `param W: [H, I] ~ normal(0.1)`; what \
                      a cell draws at each step are masks of 0 and 1, `bernoulli(0.5, [H])`";

/// What to write for a function of another system.
pub(crate) fn function(name: &str) -> Option<Advice> {
    if let Some((_, here)) = RENAMED.iter().find(|(foreign, _)| *foreign == name) {
        return Some(Advice { help: format!("write `{here}`"), name: Some(here) });
    }
    let (_, help) = WRITTEN.iter().find(|(foreign, _)| *foreign == name)?;
    Some(Advice { help: (*help).to_owned(), name: None })
}

/// Values of other systems, and what they are here.
const VALUES: [(&str, &str); 6] = [
    ("True", "1"),
    ("true", "1"),
    ("False", "0"),
    ("false", "0"),
    ("pi", "3.141592653589793"),
    ("inf", "1e30"),
];

/// What to write for a value of another system.
pub(crate) fn value(name: &str) -> Option<&'static str> {
    VALUES.iter().find(|(foreign, _)| *foreign == name).map(|(_, here)| *here)
}

/// What other systems call ways to draw parameters, and what follows the type of one here.
const INITIALIZERS: [(&str, &str); 22] = [
    ("zeros", "= 0"),
    ("zeros_", "= 0"),
    ("zeros_like", "= 0"),
    ("zero", "= 0"),
    ("ones", "= 1"),
    ("ones_", "= 1"),
    ("ones_like", "= 1"),
    ("one", "= 1"),
    ("eye", "~ identity"),
    ("randn", "~ normal(1)"),
    ("gaussian", "~ normal(1)"),
    ("rand", "~ uniform(0, 1)"),
    ("random", "~ uniform(0, 1)"),
    ("xavier", GLOROT),
    ("glorot", GLOROT),
    ("xavier_uniform", GLOROT),
    ("glorot_uniform", GLOROT),
    ("kaiming", HE),
    ("he", HE),
    ("kaiming_uniform", HE),
    ("he_uniform", HE),
    ("lecun_uniform", "~ uniform(sqrt(3 / I))"),
];

const GLOROT: &str = "~ uniform(sqrt(6 / (H + I)))";
const HE: &str = "~ uniform(sqrt(6 / I))";

/// What to write behind the type of a parameter for an initialiser of another system.
pub(crate) fn initializer(name: &str) -> Option<&'static str> {
    INITIALIZERS.iter().find(|(foreign, _)| *foreign == name).map(|(_, here)| *here)
}

/// Ends of names that say of which step a value is, each with whether it is the step after.
const STEPS: [(&str, bool); 9] = [
    ("_t", false),
    ("_prev", false),
    ("_previous", false),
    ("_old", false),
    ("_last", false),
    ("_tm1", false),
    ("_t_1", false),
    ("_new", true),
    ("_next", true),
];

/// The name without the step that it says, and whether that is the step after.
pub(crate) fn of_step(name: &str) -> Option<(&str, bool)> {
    let without = |(end, after): &(&str, bool)| Some((name.strip_suffix(end)?, *after));
    STEPS.iter().rev().find_map(without).filter(|(name, _)| !name.is_empty())
}
