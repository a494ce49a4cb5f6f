/* A look at arrays in C: whether they have the types, the layout and one of the shapes that were asked for; see gate.py.
 *
 * Between two calls of a model the caches have lost NumPy's code: asking an array for its type, shape and flags in
 * Python then takes longer than all else that a predictor does. Python's limited API only. Every function is called
 * with the interpreter lock held.
 */
#define Py_LIMITED_API 0x030A0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SHAPES = 64, READY = 0x101 }; /* NumPy's flags of arrays that are C-contiguous and aligned */

/* The fields of a NumPy array, which are part of NumPy's ABI, the same in versions 1 and 2. */
typedef struct {
    PyObject_HEAD
    char *data;
    int rank;
    intptr_t *dims, *strides;
    PyObject *base, *dtype;
    int flags;
} Array;

typedef struct {
    int rank;
    intptr_t *dims;
} Shape;

typedef struct {
    PyObject *dtype;
    int count;
    Shape shapes[SHAPES];
} Slot;

typedef struct {
    PyObject_HEAD
    PyObject *kind; /* the type of arrays */
    Py_ssize_t count;
    Slot *slots;
} Gate;

/* Gate(kind, dtypes): the class of arrays; the type of each array, None for one that no array has. */
static int init(Gate *self, PyObject *args, PyObject *kwargs) {
    PyObject *kind, *dtypes;
    if (!PyArg_ParseTuple(args, "OO!", &kind, &PyTuple_Type, &dtypes)) return -1;
    Py_ssize_t count = PyTuple_Size(dtypes);
    self->slots = calloc((size_t)count + 1, sizeof(Slot));
    if (!self->slots) {
        PyErr_NoMemory();
        return -1;
    }
    self->kind = Py_NewRef(kind);
    self->count = count;
    for (Py_ssize_t i = 0; i < count; i++) self->slots[i].dtype = Py_NewRef(PyTuple_GetItem(dtypes, i));
    return 0;
}

static int has_shape(const Slot *slot, int rank, const intptr_t *dims) {
    for (int k = 0; k < slot->count; k++)
        if (slot->shapes[k].rank == rank && (!rank || !memcmp(slot->shapes[k].dims, dims, sizeof(intptr_t) * (size_t)rank)))
            return 1;
    return 0;
}

/* add(i, shape): from now on array `i` may have this shape; the 65th and later ones are not remembered. */
static PyObject *add(Gate *self, PyObject *args) {
    Py_ssize_t i;
    PyObject *shape;
    if (!PyArg_ParseTuple(args, "nO!", &i, &PyTuple_Type, &shape)) return NULL;
    if (i < 0 || i >= self->count) return PyErr_Format(PyExc_IndexError, "there is no array %zd", i);
    Slot *slot = &self->slots[i];
    if (slot->count == SHAPES) Py_RETURN_NONE;
    Py_ssize_t rank = PyTuple_Size(shape);
    intptr_t *dims = malloc(sizeof(intptr_t) * (size_t)(rank + 1));
    if (!dims) return PyErr_NoMemory();
    for (Py_ssize_t k = 0; k < rank; k++) dims[k] = PyLong_AsSsize_t(PyTuple_GetItem(shape, k));
    if (PyErr_Occurred() || has_shape(slot, (int)rank, dims)) free(dims);
    else slot->shapes[slot->count++] = (Shape){(int)rank, dims};
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

/* fits(values): whether a tuple or list has as many arrays as there should be, each of them right. */
static PyObject *fits(Gate *self, PyObject *values) {
    int tuple = PyTuple_Check(values);
    if (!tuple && !PyList_Check(values)) Py_RETURN_FALSE;
    if ((tuple ? PyTuple_Size(values) : PyList_Size(values)) != self->count) Py_RETURN_FALSE;
    for (Py_ssize_t i = 0; i < self->count; i++) {
        PyObject *value = tuple ? PyTuple_GetItem(values, i) : PyList_GetItem(values, i);
        if ((PyObject *)Py_TYPE(value) != self->kind) Py_RETURN_FALSE;
        const Array *array = (const Array *)value;
        if (array->dtype != self->slots[i].dtype || (array->flags & READY) != READY) Py_RETURN_FALSE;
        if (!has_shape(&self->slots[i], array->rank, array->dims)) Py_RETURN_FALSE;
    }
    Py_RETURN_TRUE;
}

static void dealloc(Gate *self) {
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Py_XDECREF(self->slots[i].dtype);
        for (int k = 0; k < self->slots[i].count; k++) free(self->slots[i].shapes[k].dims);
    }
    free(self->slots);
    Py_XDECREF(self->kind);
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free_object(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"add", (PyCFunction)add, METH_VARARGS, "See Gate.add in gate.py."},
    {"fits", (PyCFunction)fits, METH_O, "See Gate.fits in gate.py."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot gate_slots[] = {
    {Py_tp_init, init}, {Py_tp_dealloc, dealloc}, {Py_tp_methods, methods}, {Py_tp_new, PyType_GenericNew}, {0, NULL},
};

static PyType_Spec gate_spec = {"tfgraft._gate.Gate", sizeof(Gate), 0, Py_TPFLAGS_DEFAULT, gate_slots};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "tfgraft._gate", "A look at arrays in C.", -1, NULL,
                                        NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__gate(void) {
    PyObject *module = PyModule_Create(&definition);
    PyObject *type = module ? PyType_FromSpec(&gate_spec) : NULL;
    if (!type || PyModule_AddObject(module, "Gate", type) < 0) {
        Py_XDECREF(type);
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
