/* The arithmetic of pairguard.age.kernel for a processor: what takes numpy a call for each product
 * and sum is one pass here. The plain formulation beside it is what this one must agree with.
 *
 * Owns loops over 101 ages. It must not know evidence, items or tables, and trusts nothing that it
 * is told: lengths and places are checked before a number is read. Built against Python's stable
 * ABI, so that one library serves every Python from 3.11 on; without contraction of products and
 * sums, so that the same input gives the same bits wherever it was compiled for one architecture.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include <float.h>
#include <stdint.h>
#include <string.h>

#define AGES 101
#define LAYOUT 1
#define MOST_ITEMS 512 /* and as many groups */
#define NO_THREADS_BELOW 16 /* participants: for fewer, handing the interpreter over costs more */

/* Rows of the packed weights, as FusionWeights packs them. */
enum { PRESENTED, POSED, PRIOR, PRESENTED_BY_ADULTS, BORROWED_SHARE, OWN_SHARE, WEIGHT_ROWS };

typedef struct {
    const int64_t *rows;
    int64_t count;
    int64_t apart; /* 1: two groups that are two attacks or one */
    int64_t first, second, together;
    double share;
} Factors;

typedef struct {
    int64_t items, groups, first_whole, line, products, unusable;
    const int64_t *steps;
    const int64_t *without;
    Factors all, borrowed, live;
    int has_borrowed, has_live;
} Plan;

typedef struct {
    const int64_t *at, *end;
    const double *shares, *shares_end;
    int wrong;
} Reader;

static int64_t next(Reader *reader)
{
    if (reader->at >= reader->end) {
        reader->wrong = 1;
        return 0;
    }
    return *reader->at++;
}

static const int64_t *several(Reader *reader, int64_t count)
{
    const int64_t *found = reader->at;
    if (count < 0 || count > reader->end - reader->at) {
        reader->wrong = 1;
        return found;
    }
    reader->at += count;
    return found;
}

static int64_t place(Reader *reader, int64_t limit)
{
    int64_t found = next(reader);
    if (found < 0 || found >= limit) {
        reader->wrong = 1;
        return 0;
    }
    return found;
}

static void all_below(Reader *reader, const int64_t *found, int64_t count, int64_t limit)
{
    for (int64_t i = 0; !reader->wrong && i < count; i++)
        if (found[i] < 0 || found[i] >= limit)
            reader->wrong = 1;
}

static void read_factors(Reader *reader, Factors *factors, int64_t limit)
{
    factors->count = next(reader);
    factors->rows = several(reader, factors->count);
    all_below(reader, factors->rows, factors->count, limit);
    factors->apart = place(reader, 2);
    factors->share = 1.0;
    factors->first = factors->second = factors->together = 0;
    if (factors->apart) {
        factors->first = place(reader, limit);
        factors->second = place(reader, limit);
        factors->together = place(reader, limit);
        if (reader->shares >= reader->shares_end)
            reader->wrong = 1;
        else
            factors->share = *reader->shares++;
    }
}

/* Return 0, or -1 with an exception where the numbers are no plan, or the line is no age. */
static int read_plan(const Py_buffer *program, const Py_buffer *shares, PyObject *line, Plan *plan)
{
    Reader reader = {program->buf, (const int64_t *)program->buf + program->len / 8,
                     shares->buf, (const double *)shares->buf + shares->len / 8, 0};
    plan->items = place(&reader, MOST_ITEMS + 1);
    plan->groups = place(&reader, MOST_ITEMS + 1);
    plan->first_whole = place(&reader, plan->groups + 1);
    int64_t parts = plan->items + plan->groups;
    plan->products = next(&reader);
    if (plan->products < 0 || plan->products > 4 * MOST_ITEMS)
        reader.wrong = 1;
    plan->steps = several(&reader, reader.wrong ? 0 : 3 * plan->products);
    /* A step makes a group from what there is by then: items, earlier groups, and ones, which the
     * place past the last part stands for. Every group is made, or old memory would be read. */
    char made[MOST_ITEMS] = {0};
    for (int64_t i = 0; !reader.wrong && i < plan->products; i++) {
        const int64_t *step = plan->steps + 3 * i;
        if (step[0] < plan->items || step[0] >= parts)
            reader.wrong = 1;
        all_below(&reader, step + 1, 2, parts + 1);
        for (int side = 1; !reader.wrong && side <= 2; side++)
            if (step[side] >= plan->items && step[side] < parts && !made[step[side] - plan->items])
                reader.wrong = 1;
        if (!reader.wrong)
            made[step[0] - plan->items] = 1;
    }
    for (int64_t group = 0; !reader.wrong && group < plan->groups; group++)
        if (!made[group])
            reader.wrong = 1;
    read_factors(&reader, &plan->all, parts);
    plan->has_borrowed = (int)place(&reader, 2);
    if (plan->has_borrowed)
        read_factors(&reader, &plan->borrowed, parts);
    plan->has_live = (int)place(&reader, 2);
    if (plan->has_live)
        read_factors(&reader, &plan->live, parts);
    plan->unusable = next(&reader);
    plan->without = several(&reader, plan->unusable);
    all_below(&reader, plan->without, plan->unusable, parts);
    plan->line = PyLong_AsLongLong(line);
    if (plan->line == -1 && PyErr_Occurred())
        return -1;
    if (plan->line <= 0 || plan->line >= AGES)
        reader.wrong = 1;
    if (reader.wrong || reader.at != reader.end || reader.shares != reader.shares_end) {
        PyErr_SetString(PyExc_ValueError, "not a plan of fusion");
        return -1;
    }
    return 0;
}

/* Sums side by side, which a processor adds at once and one alone would wait for. Always these
 * eight, whatever the processor: the order of additions is part of the result. */
#define LANES 8

static inline double dot(const double *restrict a, const double *restrict b, int64_t count)
{
    double sums[LANES] = {0.0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sums[lane] += a[i + lane] * b[i + lane];
    for (; i < count; i++)
        sums[0] += a[i] * b[i];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            sums[lane] += sums[lane + half];
    return sums[0];
}

/* What is no number may be passed over: it makes everything no number, and whoever fuses takes a
 * posterior of that, which is refused. */
static inline double largest(const double *row)
{
    double found[LANES];
    int i = LANES;
    memcpy(found, row, sizeof found);
    for (; i + LANES <= AGES; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            found[lane] = row[i + lane] > found[lane] ? row[i + lane] : found[lane];
    for (; i < AGES; i++)
        found[0] = row[i] > found[0] ? row[i] : found[0];
    for (int lane = 1; lane < LANES; lane++)
        found[0] = found[lane] > found[0] ? found[lane] : found[0];
    return found[0];
}

static inline double odds_factor(const double *row, const double *prior, int64_t line)
{
    return dot(row, prior, line) / dot(row + line, prior + line, AGES - line);
}

static inline void multiply(const double *a, const double *b, double *out)
{
    for (int i = 0; i < AGES; i++)
        out[i] = a[i] * b[i];
}

static inline const double *product(const double *const *told, const Factors *factors, double *out,
                             const double *ones)
{
    const double *result;
    int64_t from = 0;
    if (factors->apart) {
        const double *a = told[factors->first], *b = told[factors->second];
        const double *c = told[factors->together];
        for (int i = 0; i < AGES; i++)
            out[i] = a[i] * b[i] * factors->share + c[i];
        result = out;
    } else if (factors->count) {
        result = told[factors->rows[0]];
        from = 1;
    } else {
        return ones;
    }
    for (int64_t i = from; i < factors->count; i++) {
        multiply(result, told[factors->rows[i]], out);
        result = out;
    }
    return result;
}

typedef struct {
    const double *honest, *attacked, *weights, *ones;
    const double **parts, **told; /* items + groups + 1 each */
    double *products, *rows;      /* groups x 101 each */
    double *spare;                /* 3 x 101 */
} Desk;

/* Twice as many numbers at once where the processor can: the same operations on each, so the same
 * bits. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && __GNUC__ >= 12
#define WIDE __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define WIDE
#endif

/* Fuse one participant, whose rows are in parts[0..items) and told[0..items). */
WIDE static void fuse_one(const Plan *plan, const Desk *desk, double *out, double *summary)
{
    int64_t items = plan->items, groups = plan->groups;
    const double *prior = desk->weights + PRIOR * AGES;
    double best = 1.0;
    for (int64_t g = 0; g < groups; g++) {
        desk->parts[items + g] = desk->products + g * AGES;
        desk->told[items + g] = desk->rows + g * AGES;
    }
    desk->parts[items + groups] = desk->ones;
    for (int64_t i = 0; i < plan->products; i++) {
        const int64_t *step = plan->steps + 3 * i;
        multiply(desk->parts[step[1]], desk->parts[step[2]],
                 desk->products + (step[0] - items) * AGES);
    }
    for (int64_t g = 0; g < groups; g++) {
        const double *said = desk->products + g * AGES, *honest = desk->honest + g * AGES;
        const double *attack = desk->attacked + 2 * g * AGES, *posing = attack + AGES;
        double *row = desk->rows + g * AGES;
        double older = dot(said, desk->weights + PRESENTED * AGES, AGES);
        double younger = dot(said, desk->weights + POSED * AGES, AGES);
        for (int i = 0; i < AGES; i++)
            row[i] = (older * attack[i] + younger * posing[i]) + honest[i] * said[i];
        if (g >= plan->first_whole) {
            double most = largest(said);
            best = most < best ? most : best;
            summary[1 + g - plan->first_whole] = odds_factor(row, prior, plan->line);
        }
    }
    const double *const *told = (const double *const *)desk->told;
    if (!plan->has_borrowed) {
        const double *all = product(told, &plan->all, out, desk->ones);
        if (all != out)
            memcpy(out, all, AGES * sizeof(double));
    } else {
        double *first = desk->spare, *second = first + AGES, *third = second + AGES;
        const double *as_told = product(told, &plan->all, first, desk->ones);
        const double *borrowed =
            plan->has_live ? product(told, &plan->borrowed, second, desk->ones) : as_told;
        const double *live =
            plan->has_live ? product(told, &plan->live, third, desk->ones) : desk->ones;
        const double *presented = desk->weights + PRESENTED_BY_ADULTS * AGES;
        const double *share = desk->weights + BORROWED_SHARE * AGES;
        const double *own = desk->weights + OWN_SHARE * AGES;
        multiply(presented, borrowed, out);
        for (int i = AGES - 1; i > 0; i--)
            out[i - 1] += out[i];
        for (int i = 0; i < AGES; i++) {
            double either = out[i] * share[i] * live[i] + own[i] * as_told[i];
            /* Nothing is lowered: borrowing hides that somebody is younger. No number stays none. */
            out[i] = either < as_told[i] ? as_told[i] : either;
        }
    }
    for (int64_t i = 0; i < plan->unusable; i++)
        multiply(out, told[plan->without[i]], out);
    summary[0] = best;
    summary[1 + groups - plan->first_whole] = odds_factor(out, prior, plan->line);
}

/* Take a buffer of floats, or of whole numbers; count -1: any. Return 0, or -1 with an exception. */
static int taken(PyObject *object, Py_buffer *buffer, Py_ssize_t count, int writable,
                 const char *formats)
{
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, buffer, flags) < 0)
        return -1;
    if (buffer->itemsize != 8 || !buffer->format || strlen(buffer->format) != 1 ||
        !strchr(formats, buffer->format[0]) || (count >= 0 && buffer->len != count * 8)) {
        PyErr_Format(PyExc_ValueError, "expected %zd (-1: any) numbers of '%s', not %zd bytes of '%s'",
                     count, formats, buffer->len, buffer->format ? buffer->format : "");
        PyBuffer_Release(buffer);
        return -1;
    }
    return 0;
}

static int numbers(PyObject *object, Py_buffer *buffer, Py_ssize_t count, int writable)
{
    return taken(object, buffer, count, writable, "d");
}

static PyObject *fuse(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    (void)module;
    enum { PROGRAM, SHARES, HONEST, ATTACKED, WEIGHTS, LIKELIHOOD, SUMMARY, FIXED };
    Py_buffer fixed[FIXED];
    Py_buffer *said = NULL;
    double *memory = NULL;
    const double **pointers = NULL;
    int held = 0;
    Py_ssize_t held_said = 0;
    PyObject *result = NULL;
    Plan plan;
    if (given != 10) {
        PyErr_SetString(PyExc_TypeError, "fuse takes 10 arguments");
        return NULL;
    }
    if (taken(args[0], &fixed[held], -1, 0, "lq") < 0) goto done;
    held++;
    if (numbers(args[1], &fixed[held], -1, 0) < 0) goto done;
    held++;
    if (read_plan(&fixed[PROGRAM], &fixed[SHARES], args[5], &plan) < 0) goto done;
    if (numbers(args[2], &fixed[held], plan.groups * AGES, 0) < 0) goto done;
    held++;
    if (numbers(args[3], &fixed[held], 2 * plan.groups * AGES, 0) < 0) goto done;
    held++;
    if (numbers(args[4], &fixed[held], WEIGHT_ROWS * AGES, 0) < 0) goto done;
    held++;
    if (numbers(args[8], &fixed[held], -1, 1) < 0) goto done;
    held++;
    Py_ssize_t people = fixed[LIKELIHOOD].len / (8 * AGES);
    Py_ssize_t told_of_each = 2 + plan.groups - plan.first_whole;
    if (fixed[LIKELIHOOD].len != people * 8 * AGES) {
        PyErr_SetString(PyExc_ValueError, "a likelihood is not of 101 ages");
        goto done;
    }
    if (numbers(args[9], &fixed[held], people * told_of_each, 1) < 0) goto done;
    held++;
    if (!PyList_Check(args[6]) || !PyList_Check(args[7]) ||
        PyList_Size(args[6]) != plan.items || PyList_Size(args[7]) != plan.items) {
        PyErr_SetString(PyExc_ValueError, "expected two lists of a row for each item");
        goto done;
    }
    said = PyMem_Malloc((2 * plan.items + 1) * sizeof(Py_buffer));
    pointers = PyMem_Malloc(2 * (plan.items + plan.groups + 1) * sizeof(double *));
    memory = PyMem_Malloc((2 * plan.groups + 4) * AGES * sizeof(double));
    if (!said || !pointers || !memory) {
        PyErr_NoMemory();
        goto done;
    }
    for (int64_t i = 0; i < 2 * plan.items; i++) {
        PyObject *row = PyList_GetItem(args[i < plan.items ? 6 : 7], i % plan.items);
        if (!row) goto done; /* the list became shorter meanwhile */
        Py_INCREF(row);
        int taken_row = numbers(row, &said[held_said], people * AGES, 0);
        Py_DECREF(row);
        if (taken_row < 0) goto done;
        held_said++;
    }
    double *ones = memory + (2 * plan.groups + 3) * AGES;
    for (int i = 0; i < AGES; i++)
        ones[i] = 1.0;
    Desk desk = {fixed[HONEST].buf,
                 fixed[ATTACKED].buf,
                 fixed[WEIGHTS].buf,
                 ones,
                 pointers,
                 pointers + plan.items + plan.groups + 1,
                 memory,
                 memory + plan.groups * AGES,
                 memory + 2 * plan.groups * AGES};
    double *likelihood = fixed[LIKELIHOOD].buf, *summary = fixed[SUMMARY].buf;
    PyThreadState *thread = people < NO_THREADS_BELOW ? NULL : PyEval_SaveThread();
    for (Py_ssize_t person = 0; person < people; person++) {
        for (int64_t i = 0; i < plan.items; i++) {
            desk.parts[i] = (const double *)said[i].buf + person * AGES;
            desk.told[i] = (const double *)said[plan.items + i].buf + person * AGES;
        }
        fuse_one(&plan, &desk, likelihood + person * AGES, summary + person * told_of_each);
    }
    if (thread)
        PyEval_RestoreThread(thread);
    result = Py_NewRef(Py_None);
done:
    while (held_said > 0)
        PyBuffer_Release(&said[--held_said]);
    while (held > 0)
        PyBuffer_Release(&fixed[--held]);
    PyMem_Free(said);
    PyMem_Free(pointers);
    PyMem_Free(memory);
    return result;
}

/* Return whether it is finite, and not 0 at all ages. */
WIDE static int posterior(const double *prior, const double *likelihood, double *probability,
                          double *below)
{
    double total = 0.0;
    multiply(prior, likelihood, probability);
    for (int i = 0; i < AGES; i++)
        below[i] = total += probability[i];
    for (int i = 0; i < AGES; i++) {
        probability[i] /= total;
        below[i] /= total;
    }
    return total > 0.0 && total <= DBL_MAX;
}

static PyObject *posteriors(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    (void)module;
    Py_buffer held[4];
    int count = 0;
    PyObject *result = NULL;
    if (given != 4) {
        PyErr_SetString(PyExc_TypeError, "posteriors takes 4 arguments");
        return NULL;
    }
    if (numbers(args[0], &held[count], -1, 0) < 0) goto done;
    count++;
    if (numbers(args[1], &held[count], -1, 0) < 0) goto done;
    count++;
    Py_ssize_t people = held[1].len / (8 * AGES);
    int shared = held[0].len == 8 * AGES;
    if (held[1].len != people * 8 * AGES || (!shared && held[0].len != held[1].len)) {
        PyErr_SetString(PyExc_ValueError, "priors and likelihoods are not of the same ages");
        goto done;
    }
    if (numbers(args[2], &held[count], people * AGES, 1) < 0) goto done;
    count++;
    if (numbers(args[3], &held[count], people * AGES, 1) < 0) goto done;
    count++;
    int sound = 1;
    PyThreadState *thread = people < NO_THREADS_BELOW ? NULL : PyEval_SaveThread();
    for (Py_ssize_t person = 0; person < people; person++) {
        const double *prior = (const double *)held[0].buf + (shared ? 0 : person * AGES);
        const double *likelihood = (const double *)held[1].buf + person * AGES;
        double *probability = (double *)held[2].buf + person * AGES;
        double *below = (double *)held[3].buf + person * AGES;
        sound &= posterior(prior, likelihood, probability, below);
    }
    if (thread)
        PyEval_RestoreThread(thread);
    result = PyBool_FromLong(sound);
done:
    while (count > 0)
        PyBuffer_Release(&held[--count]);
    return result;
}

static PyMethodDef methods[] = {
    {"fuse", (PyCFunction)(void (*)(void))fuse, METH_FASTCALL, NULL},
    {"posteriors", (PyCFunction)(void (*)(void))posteriors, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static int prepare(PyObject *module) { return PyModule_AddIntConstant(module, "LAYOUT", LAYOUT); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, prepare}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_compiled_kernel", NULL, 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__compiled_kernel(void) { return PyModuleDef_Init(&definition); }
