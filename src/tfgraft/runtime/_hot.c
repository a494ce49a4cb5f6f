/* The hot path of an engine node in C: what `call.py` does in every call, without its ctypes calls.
 *
 * It is optional. Where it was not built, `call.py` and `kernel.py` do the same in Python; whatever is unusual (a new
 * shape, a new address, an error) they do here too: this file calls them. Python's limited API only, so that one build
 * serves all versions from 3.10 on. Every function is called with the interpreter lock held, but for `compute`.
 */
#define Py_LIMITED_API 0x030A0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESSES = 8 };

/* TensorFlow's C API. Tensors, statuses and kernel contexts are opaque. */
typedef struct {
    void (*get_input)(void *context, int index, void **tensor, void *status);
    int (*num_dims)(const void *tensor);
    int64_t (*dim)(const void *tensor, int axis);
    void *(*data)(const void *tensor);
    void (*delete_tensor)(void *tensor);
    void *(*allocate)(void *context, int index, int dtype, const int64_t *dims, int rank, size_t bytes, void *status);
} Api;

typedef struct {
    PyObject *slot;   /* the `_Slot` of call.py, which makes views and checks shapes */
    void **cell;      /* its TensorHandle */
    int index, dtype, rank;
    int64_t *dims;
    PyObject *shape;  /* dims as a tuple; outputs only */
    size_t bytes;
    int known, next;  /* addresses in use; the one to be replaced next */
    void *addresses[ADDRESSES];
    PyObject *arrays[ADDRESSES];
} Slot;

typedef struct {
    void *address;
    size_t bytes;
} Buffer;

/* Functions of the CUDA driver; they return 0 if all is well. */
typedef struct {
    int (*synchronize)(void);
    int (*copy)(uint64_t target, uint64_t source, size_t bytes, void *stream);
    int (*launch)(void *graph, void *stream);
    int (*wait)(void *stream);
    void *graph, *stream;
} Device;

typedef struct {
    PyObject_HEAD
    Api api;
    PyObject *call, *accept, *allocate; /* the `Call`, and its methods for what is unusual */
    void *status, *context;
    Slot *slots;
    int inputs, outputs, missing;
    PyObject *keep;            /* what holds buffers of the engine's own, for the shapes of the last call; or NULL */
    Buffer *buffers;           /* of the inputs, then of the outputs */
    PyObject *run, *arguments; /* of the engine on buffers in host memory */
    PyObject *lock;            /* held while the engine runs on a device; NULL for buffers in host memory */
    Device device;
    PyObject *after;           /* called once when a call ends, or NULL */
} Hot;

static int to_pointer(PyObject *number, void **result) {
    *result = PyLong_AsVoidPtr(number);
    return *result || !PyErr_Occurred();
}

static int attribute(PyObject *object, const char *name, void **pointer, long long *integer) {
    PyObject *value = PyObject_GetAttrString(object, name);
    if (!value) return 0;
    if (pointer) *pointer = PyLong_AsVoidPtr(value);
    else *integer = PyLong_AsLongLong(value);
    Py_DECREF(value);
    return !PyErr_Occurred();
}

static void forget_arrays(Slot *slot) {
    for (int i = 0; i < slot->known; i++) Py_CLEAR(slot->arrays[i]);
    slot->known = slot->next = 0;
}

static void unstage(Hot *self) {
    Py_CLEAR(self->run);
    Py_CLEAR(self->arguments);
    Py_CLEAR(self->keep);
    Py_CLEAR(self->lock);
}

/* Take pairs of address and size, which must be the sizes of the tensors of `count` slots. */
static int to_buffers(PyObject *list, int count, const Slot *slots, Buffer *buffers) {
    if (!PyList_Check(list) || PyList_Size(list) != count) {
        PyErr_SetString(PyExc_ValueError, "a buffer for each tensor is needed");
        return 0;
    }
    for (int i = 0; i < count; i++) {
        PyObject *number;
        Py_ssize_t bytes;
        long long needed;
        if (!PyArg_ParseTuple(PyList_GetItem(list, i), "On", &number, &bytes)) return 0;
        if (!to_pointer(number, &buffers[i].address)) return 0;
        if (!attribute(slots[i].slot, "nbytes", NULL, &needed)) return 0;
        if (bytes != needed) {
            PyErr_SetString(PyExc_ValueError, "a buffer is not of its tensor's size");
            return 0;
        }
        buffers[i].bytes = (size_t)bytes;
    }
    return 1;
}

/* Take a `DeviceStage`: a lock, and what `Device` has in its order. */
static int to_device(PyObject *work, Device *device) {
    void *pointers[sizeof(Device) / sizeof(void *)];
    if (PyTuple_Size(work) != 1 + (Py_ssize_t)(sizeof(Device) / sizeof(void *))) {
        PyErr_SetString(PyExc_ValueError, "neither a HostStage nor a DeviceStage");
        return 0;
    }
    for (size_t i = 0; i < sizeof(Device) / sizeof(void *); i++)
        if (!to_pointer(PyTuple_GetItem(work, (Py_ssize_t)i + 1), &pointers[i])) return 0;
    memcpy(device, pointers, sizeof(Device));
    return 1;
}

/* stage(keep, work, inputs, outputs): from now on, as long as the inputs have the shapes that they have in this call,
 * copy them into these buffers (pairs of address and size), have the engine work, and copy the outputs from theirs. All
 * outputs must have been allocated. */
static PyObject *stage(Hot *self, PyObject *args) {
    PyObject *keep, *work, *inputs, *outputs, *run = NULL, *arguments;
    if (!PyArg_ParseTuple(args, "OO!OO", &keep, &PyTuple_Type, &work, &inputs, &outputs)) return NULL;
    unstage(self);
    if (self->missing) {
        PyErr_SetString(PyExc_ValueError, "not all outputs have been allocated");
        return NULL;
    }
    if (!to_buffers(inputs, self->inputs, self->slots, self->buffers)) return NULL;
    if (!to_buffers(outputs, self->outputs, self->slots + self->inputs, self->buffers + self->inputs)) return NULL;
    if (PyTuple_Size(work) == 2) {
        if (!PyArg_ParseTuple(work, "OO!", &run, &PyTuple_Type, &arguments)) return NULL;
        self->run = Py_NewRef(run);
        self->arguments = Py_NewRef(arguments);
    } else {
        if (!to_device(work, &self->device)) return NULL;
        self->lock = Py_NewRef(PyTuple_GetItem(work, 0));
    }
    self->keep = Py_NewRef(keep);
    Py_RETURN_NONE;
}

/* Return a new reference to the array over the tensor in a slot's cell. */
static PyObject *view(const Hot *self, Slot *slot) {
    void *address = self->api.data(*slot->cell);
    for (int i = 0; i < slot->known; i++)
        if (slot->addresses[i] == address) {
            Py_INCREF(slot->arrays[i]);
            return slot->arrays[i];
        }
    PyObject *number = address ? PyLong_FromVoidPtr(address) : Py_NewRef(Py_None);
    PyObject *array = number ? PyObject_CallMethod(slot->slot, "view", "O", number) : NULL;
    Py_XDECREF(number);
    if (!array) return NULL;
    int place = slot->known < ADDRESSES ? slot->known++ : slot->next;
    slot->next = (place + 1) % ADDRESSES;
    PyObject *old = slot->arrays[place];
    slot->addresses[place] = address;
    slot->arrays[place] = Py_NewRef(array);
    Py_XDECREF(old);
    return array;
}

/* Compare the shape of the tensor in a slot's cell with the last one; hand another one to Python to accept. */
static int same_shape(Hot *self, Slot *slot) {
    const void *tensor = *slot->cell;
    int rank = self->api.num_dims(tensor), same = rank == slot->rank;
    for (int k = 0; same && k < rank; k++) same = self->api.dim(tensor, k) == slot->dims[k];
    if (same) return 1;
    int64_t *dims = malloc(sizeof(int64_t) * (size_t)(rank + 1));
    PyObject *shape = dims ? PyTuple_New(rank) : PyErr_NoMemory();
    for (int k = 0; shape && k < rank; k++) {
        dims[k] = self->api.dim(tensor, k);
        PyObject *dim = PyLong_FromLongLong(dims[k]);
        if (!dim || PyTuple_SetItem(shape, k, dim) < 0) Py_CLEAR(shape);
    }
    PyObject *accepted = shape ? PyObject_CallFunctionObjArgs(self->accept, slot->slot, shape, NULL) : NULL;
    Py_XDECREF(shape);
    if (!accepted) {
        free(dims);
        return 0;
    }
    Py_DECREF(accepted);
    forget_arrays(slot);
    unstage(self);
    free(slot->dims);
    slot->dims = dims;
    slot->rank = rank;
    return 1;
}

/* Take the inputs of a call; return whether their shapes are accepted. */
static int take(Hot *self, void *context) {
    self->context = context;
    for (int i = 0; i < self->inputs; i++) {
        Slot *slot = &self->slots[i];
        self->api.get_input(context, slot->index, slot->cell, self->status);
        if (!*slot->cell) {
            Py_XDECREF(PyObject_CallMethod(self->call, "missing_input", "i", slot->index));
            return 0;
        }
        if (!same_shape(self, slot)) return 0;
    }
    return 1;
}

static PyObject *views_of_inputs(Hot *self) {
    PyObject *views = PyList_New(self->inputs);
    for (int i = 0; views && i < self->inputs; i++) {
        PyObject *array = view(self, &self->slots[i]);
        if (!array || PyList_SetItem(views, i, array) < 0) Py_CLEAR(views);
    }
    return views;
}

static PyObject *begin(Hot *self, PyObject *context) {
    void *pointer;
    return to_pointer(context, &pointer) && take(self, pointer) ? views_of_inputs(self) : NULL;
}

/* Remember the shape that Python has accepted for an output. */
static int remember(Slot *slot) {
    long long bytes;
    PyObject *shape = PyObject_GetAttrString(slot->slot, "shape");
    if (!shape || !attribute(slot->slot, "nbytes", NULL, &bytes)) {
        Py_XDECREF(shape);
        return 0;
    }
    int rank = (int)PyTuple_Size(shape);
    int64_t *dims = malloc(sizeof(int64_t) * (size_t)(rank + 1));
    for (int k = 0; dims && k < rank; k++) dims[k] = PyLong_AsLongLong(PyTuple_GetItem(shape, k));
    if (!dims || PyErr_Occurred()) {
        free(dims);
        Py_DECREF(shape);
        if (!PyErr_Occurred()) PyErr_NoMemory();
        return 0;
    }
    forget_arrays(slot);
    free(slot->dims);
    slot->dims = dims;
    slot->rank = rank;
    slot->bytes = (size_t)bytes;
    Py_XDECREF(slot->shape);
    slot->shape = shape;
    return 1;
}

static PyObject *allocate(Hot *self, PyObject *args) {
    PyObject *shape;
    int i;
    if (!PyArg_ParseTuple(args, "iO", &i, &shape)) return NULL;
    Slot *slot = i >= 0 && i < self->outputs ? &self->slots[self->inputs + i] : NULL;
    int usual = slot && self->context && !*slot->cell && slot->shape;
    if (usual && shape != slot->shape) {
        int equal = PyObject_RichCompareBool(shape, slot->shape, Py_EQ);
        if (equal < 0) PyErr_Clear();
        usual = equal > 0;
    }
    if (!usual) {
        PyObject *array = PyObject_CallFunctionObjArgs(self->allocate, PyTuple_GetItem(args, 0), shape, NULL);
        if (array && !remember(slot)) Py_CLEAR(array);
        return array;
    }
    void *tensor = self->api.allocate(self->context, i, slot->dtype, slot->dims, slot->rank, slot->bytes, self->status);
    if (!tensor) return PyObject_CallMethod(self->call, "no_memory", "i", i);
    *slot->cell = tensor;
    self->missing--;
    return view(self, slot);
}

/* Have TensorFlow allocate an output, of its last shape; return where, or NULL with an exception. */
static void *give(Hot *self, int i) {
    Slot *slot = &self->slots[self->inputs + i];
    void *tensor = self->api.allocate(self->context, i, slot->dtype, slot->dims, slot->rank, slot->bytes, self->status);
    if (!tensor) {
        Py_XDECREF(PyObject_CallMethod(self->call, "no_memory", "i", i));
        return NULL;
    }
    *slot->cell = tensor;
    self->missing--;
    return self->api.data(tensor);
}

/* Run on the engine's own buffers in host memory. */
static PyObject *run_on_host(Hot *self) {
    for (int i = 0; i < self->inputs; i++)
        memcpy(self->buffers[i].address, self->api.data(*self->slots[i].cell), self->buffers[i].bytes);
    PyObject *keep = Py_NewRef(self->keep), *result = PyObject_Call(self->run, self->arguments, NULL);
    for (int i = 0; result && i < self->outputs; i++) {
        Buffer *buffer = &self->buffers[self->inputs + i];
        void *target = give(self, i);
        if (target) memcpy(target, buffer->address, buffer->bytes);
        else Py_CLEAR(result);
    }
    Py_DECREF(keep);
    return result;
}

static int copy(const Device *device, void *target, void *source, size_t bytes) {
    return device->copy((uint64_t)(uintptr_t)target, (uint64_t)(uintptr_t)source, bytes, device->stream);
}

/* Copy the inputs, launch the graph, copy the outputs, wait: all on the device's stream, and without Python. */
static int work_on_device(const Hot *self, const Device *device) {
    int code, waited;
    Py_BEGIN_ALLOW_THREADS
    code = device->synchronize(); /* TensorFlow's own stream is not to be had */
    for (int i = 0; !code && i < self->inputs; i++)
        code = copy(device, self->buffers[i].address, self->api.data(*self->slots[i].cell), self->buffers[i].bytes);
    if (!code) code = device->launch(device->graph, device->stream);
    for (int i = self->inputs; !code && i < self->inputs + self->outputs; i++)
        code = copy(device, self->api.data(*self->slots[i].cell), self->buffers[i].address, self->buffers[i].bytes);
    waited = device->wait(device->stream); /* after an error too: TensorFlow's memory may still be written */
    Py_END_ALLOW_THREADS
    if (!code) code = waited;
    if (code) PyErr_Format(PyExc_RuntimeError, "the CUDA driver says %d", code);
    return !code;
}

/* Run on the engine's own buffers on a device, of which one call at a time makes use. */
static PyObject *run_on_device(Hot *self) {
    for (int i = 0; i < self->outputs; i++)
        if (!give(self, i)) return NULL;
    Device device = self->device;
    PyObject *keep = Py_NewRef(self->keep), *lock = Py_NewRef(self->lock);
    PyObject *result = PyObject_CallMethod(lock, "acquire", NULL);
    if (result) {
        int good = work_on_device(self, &device);
        PyObject *kind, *error, *trace;
        PyErr_Fetch(&kind, &error, &trace);
        PyObject *released = PyObject_CallMethod(lock, "release", NULL);
        if (released) PyErr_Restore(kind, error, trace);
        if (!released || !good) Py_CLEAR(result);
        Py_XDECREF(released);
    }
    Py_DECREF(lock);
    Py_DECREF(keep);
    return result;
}

static PyObject *finish(Hot *self, PyObject *unused) {
    if (self->missing) return PyObject_CallMethod(self->call, "missing_output", NULL);
    Py_RETURN_NONE;
}

static PyObject *end(Hot *self, PyObject *unused) {
    self->context = NULL;
    for (int i = 0; i < self->inputs + self->outputs; i++) {
        void *tensor = *self->slots[i].cell;
        if (tensor) {
            *self->slots[i].cell = NULL;
            self->api.delete_tensor(tensor);
        }
    }
    self->missing = self->outputs;
    PyObject *after = self->after;
    self->after = NULL;
    PyObject *result = after ? PyObject_CallFunctionObjArgs(after, NULL) : Py_NewRef(Py_None);
    Py_XDECREF(after);
    return result;
}

/* Forget the outputs' shapes: Python has changed them. */
static PyObject *forget(Hot *self, PyObject *unused) {
    unstage(self);
    for (int i = self->inputs; i < self->inputs + self->outputs; i++) {
        Py_CLEAR(self->slots[i].shape);
        forget_arrays(&self->slots[i]);
    }
    Py_RETURN_NONE;
}

static PyObject *get_context(Hot *self, void *unused) {
    return self->context ? PyLong_FromVoidPtr(self->context) : Py_NewRef(Py_None);
}

static PyObject *get_missing(Hot *self, void *unused) { return PyLong_FromLong(self->missing); }

static int set_missing(Hot *self, PyObject *value, void *unused) {
    self->missing = value ? (int)PyLong_AsLong(value) : 0;
    return PyErr_Occurred() ? -1 : 0;
}

static int set_after(Hot *self, PyObject *value, void *unused) {
    PyObject *old = self->after;
    self->after = value && value != Py_None ? Py_NewRef(value) : NULL;
    Py_XDECREF(old);
    return 0;
}

static int fill_slot(Slot *slot, PyObject *object) {
    long long index, dtype;
    if (!attribute(object, "cell_address", (void **)&slot->cell, NULL)) return 0;
    if (!attribute(object, "index", NULL, &index) || !attribute(object, "enum", NULL, &dtype)) return 0;
    slot->index = (int)index;
    slot->dtype = (int)dtype;
    slot->rank = -1;
    slot->slot = Py_NewRef(object);
    return 1;
}

/* Hot(call, functions, inputs, outputs): the addresses of the C API's functions in `Api`'s order; lists of slots. */
static int init(Hot *self, PyObject *args, PyObject *kwargs) {
    PyObject *call, *functions, *inputs, *outputs;
    if (!PyArg_ParseTuple(args, "OO!O!O!", &call, &PyTuple_Type, &functions, &PyList_Type, &inputs, &PyList_Type,
                          &outputs))
        return -1;
    void *pointers[sizeof(Api) / sizeof(void *)];
    for (size_t i = 0; i < sizeof(Api) / sizeof(void *); i++) {
        PyObject *number = PyTuple_GetItem(functions, (Py_ssize_t)i);
        if (!number || !to_pointer(number, &pointers[i])) return -1;
    }
    memcpy(&self->api, pointers, sizeof(Api));
    self->inputs = (int)PyList_Size(inputs);
    self->outputs = self->missing = (int)PyList_Size(outputs);
    self->slots = calloc((size_t)(self->inputs + self->outputs + 1), sizeof(Slot));
    self->buffers = calloc((size_t)(self->inputs + self->outputs + 1), sizeof(Buffer));
    if (!self->slots || !self->buffers) {
        PyErr_NoMemory();
        return -1;
    }
    for (int i = 0; i < self->inputs; i++)
        if (!fill_slot(&self->slots[i], PyList_GetItem(inputs, i))) return -1;
    for (int i = 0; i < self->outputs; i++)
        if (!fill_slot(&self->slots[self->inputs + i], PyList_GetItem(outputs, i))) return -1;
    if (!attribute(call, "status", &self->status, NULL)) return -1;
    self->call = Py_NewRef(call);
    self->accept = PyObject_GetAttrString(call, "accept");
    self->allocate = PyObject_GetAttrString(call, "allocate");
    return self->accept && self->allocate ? 0 : -1;
}

/* Let go of the `Call`, which holds this object too. */
static PyObject *release(Hot *self, PyObject *unused) {
    Py_CLEAR(self->call);
    Py_CLEAR(self->accept);
    Py_CLEAR(self->allocate);
    Py_CLEAR(self->after);
    for (int i = 0; self->slots && i < self->inputs + self->outputs; i++) {
        Slot *slot = &self->slots[i];
        forget_arrays(slot);
        Py_CLEAR(slot->slot);
        Py_CLEAR(slot->shape);
        free(slot->dims);
    }
    unstage(self);
    free(self->slots);
    free(self->buffers);
    self->slots = NULL;
    self->buffers = NULL;
    self->inputs = self->outputs = 0;
    Py_RETURN_NONE;
}

static void dealloc(Hot *self) {
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(release(self, NULL));
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free_object(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"begin", (PyCFunction)begin, METH_O, "See Call.begin."},
    {"allocate", (PyCFunction)allocate, METH_VARARGS, "See Call.allocate."},
    {"stage", (PyCFunction)stage, METH_VARARGS, "Run on these buffers from now on; see `Staging`."},
    {"finish", (PyCFunction)finish, METH_NOARGS, "See Call.finish."},
    {"end", (PyCFunction)end, METH_NOARGS, "See Call.end."},
    {"forget", (PyCFunction)forget, METH_NOARGS, "Forget the outputs' shapes: Python has changed them."},
    {"release", (PyCFunction)release, METH_NOARGS, "Let go of everything."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"context", (getter)get_context, NULL, "TensorFlow's context of the call that runs, or None.", NULL},
    {"after", NULL, (setter)set_after, "Called once when the call that runs has ended.", NULL},
    {"missing", (getter)get_missing, (setter)set_missing, "Outputs that have not been allocated.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot hot_slots[] = {
    {Py_tp_init, init},       {Py_tp_dealloc, dealloc},   {Py_tp_methods, methods},
    {Py_tp_getset, properties}, {Py_tp_new, PyType_GenericNew}, {0, NULL},
};

static PyType_Spec hot_spec = {"tfgraft.runtime._hot.Hot", sizeof(Hot), 0, Py_TPFLAGS_DEFAULT, hot_slots};

/* The compute callback. TensorFlow keeps it for the life of the process, hence the statics. */
static PyObject *kernels = NULL, *refuse = NULL;
static PyObject *_run, *_free, *_tick, *_hot; /* names of attributes */
static _Thread_local int entered = 0;

/* Tell a kernel of the exception that is set. */
static PyObject *failed(PyObject *kernel, PyObject *call, PyObject *context) {
    PyObject *kind, *error, *trace;
    PyErr_Fetch(&kind, &error, &trace);
    PyErr_NormalizeException(&kind, &error, &trace);
    PyObject *result = PyObject_CallMethod(kernel, "failed", "OOO", call, context, error ? error : Py_None);
    Py_XDECREF(kind);
    Py_XDECREF(error);
    Py_XDECREF(trace);
    return result;
}

/* Ask the engine itself again, after an error. */
static void unstage_with_error(Hot *hot) {
    PyObject *kind, *error, *trace;
    PyErr_Fetch(&kind, &error, &trace);
    unstage(hot);
    PyErr_Restore(kind, error, trace);
}

/* Do what `Kernel.compute` does, with a `Call` taken off its list. */
static PyObject *serve(PyObject *kernel, PyObject *run, PyObject *call, PyObject *context) {
    Hot *hot = (Hot *)PyObject_GetAttr(call, _hot);
    if (!hot) return NULL;
    PyObject *result = NULL;
    if (take(hot, PyLong_AsVoidPtr(context))) {
        if (hot->keep) {
            result = hot->lock ? run_on_device(hot) : run_on_host(hot);
        } else {
            PyObject *views = views_of_inputs(hot);
            result = views ? PyObject_CallFunctionObjArgs(run, views, call, NULL) : NULL;
            Py_XDECREF(views);
        }
    }
    if (result && hot->missing) {
        Py_DECREF(result);
        result = PyObject_CallMethod(call, "missing_output", NULL);
    }
    if (!result) {
        unstage_with_error(hot);
        result = failed(kernel, call, context);
    }
    PyObject *ended = end(hot, NULL);
    if (!ended) PyErr_WriteUnraisable(call);
    Py_XDECREF(ended);
    Py_DECREF(hot);
    return result;
}

/* Answer a call; return NULL with an exception set if that went wrong. */
static PyObject *answer(PyObject *kernel, PyObject *context) {
    PyObject *run = PyObject_GetAttr(kernel, _run), *calls = PyObject_GetAttr(kernel, _free), *result = NULL;
    Py_ssize_t count = calls ? PyList_Size(calls) : 0;
    if (!run || !calls) {
        result = NULL;
    } else if (run == Py_None || !count) { /* the engine is not loaded, or all `Call`s are busy */
        result = PyObject_CallMethod(kernel, "compute", "O", context);
    } else {
        PyObject *call = Py_NewRef(PyList_GetItem(calls, count - 1)), *tick = PyObject_GetAttr(kernel, _tick);
        PyObject *ticked = tick ? PyObject_CallFunctionObjArgs(tick, NULL) : NULL;
        if (ticked && PyList_SetSlice(calls, count - 1, count, NULL) == 0) {
            result = serve(kernel, run, call, context);
            if (PyList_Append(calls, call) < 0) Py_CLEAR(result);
        }
        Py_XDECREF(ticked);
        Py_XDECREF(tick);
        Py_DECREF(call);
    }
    Py_XDECREF(run);
    Py_XDECREF(calls);
    return result;
}

static void compute(void *handle, void *context) {
    PyGILState_STATE state = PyGILState_Ensure();
    if (!entered) { /* once more, never released: see keep_thread_state in kernel.py */
        entered = 1;
        PyGILState_Ensure();
    }
    PyObject *key = PyLong_FromVoidPtr(handle), *number = PyLong_FromVoidPtr(context);
    PyObject *kernel = key ? PyDict_GetItemWithError(kernels, key) : NULL, *result = NULL;
    if (kernel && number) {
        Py_INCREF(kernel);
        result = answer(kernel, number);
        Py_DECREF(kernel);
    }
    if (!result && key && number) { /* an unknown kernel, or an exception that should not have come so far */
        PyObject *kind, *error, *trace;
        PyErr_Fetch(&kind, &error, &trace);
        PyErr_NormalizeException(&kind, &error, &trace);
        result = PyObject_CallFunctionObjArgs(refuse, key, number, error ? error : Py_None, NULL);
        Py_XDECREF(kind);
        Py_XDECREF(error);
        Py_XDECREF(trace);
    }
    if (!result) PyErr_Clear();
    Py_XDECREF(result);
    Py_XDECREF(number);
    Py_XDECREF(key);
    PyGILState_Release(state);
}

/* compute_callback(kernels, refuse): the callback's address; see `callbacks` in kernel.py. */
static PyObject *compute_callback(PyObject *module, PyObject *args) {
    PyObject *table, *function;
    if (!PyArg_ParseTuple(args, "O!O", &PyDict_Type, &table, &function)) return NULL;
    kernels = Py_NewRef(table);
    refuse = Py_NewRef(function);
    _run = PyUnicode_InternFromString("_run");
    _free = PyUnicode_InternFromString("_free");
    _tick = PyUnicode_InternFromString("_tick");
    _hot = PyUnicode_InternFromString("_hot");
    if (!_run || !_free || !_tick || !_hot) return NULL;
    return PyLong_FromVoidPtr((void *)compute);
}

static PyMethodDef functions[] = {
    {"compute_callback", compute_callback, METH_VARARGS, "Return the address of the compute callback."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "tfgraft.runtime._hot",
                                        "The hot path of an engine node in C.", -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__hot(void) {
    PyObject *module = PyModule_Create(&definition);
    PyObject *type = module ? PyType_FromSpec(&hot_spec) : NULL;
    if (!type || PyModule_AddObject(module, "Hot", type) < 0) {
        Py_XDECREF(type);
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
