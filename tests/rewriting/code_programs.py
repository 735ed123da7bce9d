"""Programs for the tests of the rewriter of code: what each must answer, keep and rename."""

from typing import NamedTuple


class Program(NamedTuple):
    """``call`` says what it answers; no name of ``gone`` is left, every one of ``stays`` is."""

    title: str
    source: str
    call: str
    gone: str = ""
    stays: str = ""


TRAPS = (
    Program(
        "globals and locals of one name",
        """
total = 1
def add(amount):
    global total
    total += amount
    return total
def other(total):
    return total * 2
""",
        "add(2), total, other(5)",
        gone="amount",
        stays="total add other",
    ),
    Program(
        "a private variable that is declared global",
        """
_level = 0
def raised(by):
    global _level
    _level += by
    return _level
""",
        "raised(1), raised(2)",
        gone="by",
        stays="_level",
    ),
    Program(
        "nonlocal",
        """
def counter(start):
    def step(width=1):
        nonlocal start
        start += width
        return start
    return step
""",
        "counter(3)(), counter(3)(4)",
        gone="start step",
    ),
    Program(
        "global through a function between",
        """
item = 'module'
def outer():
    item = 'outer'
    def middle():
        global item
        def inner():
            return item
        return inner()
    return item, middle()
""",
        "outer()",
        gone="middle inner",
        stays="item",
    ),
    Program(
        "comprehensions have variables of their own",
        """
def f(row, rows):
    a = [row for row in rows for row in [row + 1]]
    b = {row: cell for row, cell in enumerate(rows) if cell}
    return row, a, b, {cell % row for cell in rows}, sum(cell for cell in rows)
""",
        "f(2, [1, 2, 3])",
        gone="row rows a b cell",
    ),
    Program(
        "the first iterable is seen from outside",
        """
def f(line):
    return [line for line in line.split()]
""",
        "f('a b')",
        gone="line",
    ),
    Program(
        "a comprehension in a class sees the function, not the class",
        """
def make(size):
    class Box:
        size = 7
        cells = [size for i in range(2)]
        rows = [i for i in range(size)]
    return Box.cells, Box.rows
""",
        "make(3)",
        gone="Box i",
        stays="size cells rows",
    ),
    Program(
        "class attributes stay, and are no locals",
        """
class Shape:
    width = 2
    double = width * 2
    def area(self, height):
        width = 5
        return width * height * self.width * Shape.double
""",
        "Shape().area(3), Shape.double",
        gone="height",
        stays="Shape width double area self",
    ),
    Program(
        "a class may take a name from the module before it binds it",
        """
def _scale(number):
    return number * 2
class Thing:
    _scale = staticmethod(_scale)
""",
        "Thing._scale(4)",
        gone="number",
        stays="_scale",
    ),
    Program(
        "lambdas and their defaults",
        """
def f(value):
    key = lambda value, other=value: value + other
    return sorted([3, 1], key=lambda one: -one), key(10), value
""",
        "f(1)",
        gone="value other one",
    ),
    Program(
        "f-strings: names inside, widths, conversions, quotes",
        """
def f(name, width):
    table = {'a': 1}
    return f'name {name!r:>{width}} {table["a"]} {{name}}'
""",
        "f('x', 9)",
        gone="width table",
    ),
    Program(
        "f-strings that show their expression",
        """
def f(count, other):
    return f'{count=} {other + 1}'
""",
        "f(3, 4)",
        gone="other",
        stays="count",
    ),
    Program(
        "defaults and decorators are evaluated outside",
        """
def outer(scale):
    def twice(function):
        return lambda *args: 2 * function(*args)
    @twice
    def inner(value, scale=scale):
        return value * scale
    return inner(4)
""",
        "outer(3)",
        gone="twice function args",
    ),
    Program(
        "stars",
        """
def f(first, /, second, *rest, last=0, **extra):
    return first, second, rest, last, extra
""",
        "f(1, 2, 3, 4)",
        gone="first second rest last extra",
    ),
    Program(
        "keywords of surely known functions follow",
        """
def area(width, *, height=1):
    return width * height
def both(width):
    return area(width=width, height=2), area(3, height=width)
""",
        "both(5)",
        gone="width height",
    ),
    Program(
        "keywords of others stay, and so do parameters that they may mean",
        """
def show(value, width=1):
    return str(value).rjust(width)
def call(function):
    return function(5, width=3)
def out(sep, end):
    return call(show), '-'.join(sorted('ba', reverse=end))
""",
        "out('x', True)",
        gone="value sep end function",
        stays="width reverse",
    ),
    Program(
        "methods called by keyword",
        """
class Pair:
    def __init__(self, left, right):
        self.left = left
        self.other = right
    def moved(self, by, far):
        return Pair(left=self.left + by, right=self.other * far)
def f(pair):
    return vars(pair.moved(by=2, far=3)) | vars(pair.moved(1, 1))
def g():
    return f(Pair(1, 2))
""",
        "g()",
        gone="pair",
        stays="by far right left",
    ),
    Program(
        "arguments that come out of a dictionary",
        """
def f(red, green):
    return red - green
def g(blue):
    return f(**{'red': blue, 'green': 1})
""",
        "g(5)",
        gone="blue",
        stays="red green",
    ),
    Program(
        "keywords that are text",
        """
from threading import Thread
def put(held, width):
    held.append(width)
def f(amount, found):
    worker = Thread(target=put, args=(found,), kwargs={"width": amount})
    worker.start()
    worker.join()
    return found
""",
        "f(3, [])",
        gone="held amount found worker",
        stays="width",
    ),
    Program(
        "a keyword that lands in the double star",
        """
def f(first, /, **extra):
    return first, extra
def g():
    return f(1, first=2)
""",
        "g()",
        gone="extra",
        stays="first",
    ),
    Program(
        "a name that is bound twice is not surely a function",
        """
def f(text):
    return text
if f('x'):
    def f(text, mark='.'):
        return text + mark
def g():
    return f(text='a', mark='!')
""",
        "g()",
        stays="text mark",
    ),
    Program(
        "locals()",
        """
def f(width, height):
    total = width * height
    return '%(width)d %(total)d' % locals()
def g(height):
    return height
""",
        "f(2, 3), g(1)",
        stays="width total height",
    ),
    Program(
        "eval sees the variables of blocks around it",
        """
def f(base):
    def g(value):
        return eval('value') + base
    def h(other):
        return other
    return g(1) + h(2)
""",
        "f(3)",
        gone="other",
        stays="base value g h",
    ),
    Program(
        "exec and vars",
        """
def f(seen):
    exec('pass')
    return seen
def g(kept):
    return sorted(vars())
def h(thing):
    return sorted(vars(thing))
""",
        "f(1), g(2), h(type('T', (), {}))[:1]",
        gone="thing",
        stays="seen kept",
    ),
    Program(
        "globals() is of the module only",
        """
_hidden = 4
def f(local):
    return globals()['_hid' + 'den'] + local
""",
        "f(1)",
        gone="local",
        stays="_hidden",
    ),
    Program(
        "private names that stand in strings",
        """
def _used(number):
    return number
def _free(number):
    return -number
table = ['_used']
def f(number):
    return _used(number), _free(number)
""",
        "f(3), table",
        gone="_free number",
        stays="_used",
    ),
    Program(
        "walrus, in a condition and in a comprehension",
        """
def f(items):
    if (size := len(items)) > 1:
        found = [last := one for one in items]
        return size, found, last
    return size
""",
        "f([1, 2]), f([])",
        gone="items size found last one",
    ),
    Program(
        "match",
        """
class Dot:
    __match_args__ = ('x', 'y')
    def __init__(self, x, y):
        self.x, self.y = x, y
def f(thing):
    match thing:
        case {'kind': kind, **rest}:
            return kind, rest
        case [head, *tail] if head:
            return head, tail
        case Dot(x=place, y=0) | Dot(place, 1):
            return place
        case (int() | float()) as number:
            return number
        case _:
            return None
def g():
    return f(Dot(4, 0)), f(Dot(5, 1))
""",
        "f({'kind': 1, 'a': 2}), f([1, 2, 3]), f(2.5), f('s'), g()",
        gone="thing kind rest head tail place number",
        stays="Dot x y",
    ),
    Program(
        "except as, with as, del",
        """
from contextlib import nullcontext
def f(value):
    try:
        with nullcontext(value) as (held, other):
            del other
            return 1 / held
    except ZeroDivisionError as error:
        return str(error)
""",
        "f((2, 0)), f((0, 0))",
        gone="value held other error",
        stays="nullcontext",
    ),
    Program(
        "annotations, also in strings",
        """
class _Leaf:
    pass
class _Stem:
    pass
def f(leaf: '_Leaf', stems: list[_Stem]) -> '_Leaf | None':
    first: _Stem | None = stems[0] if stems else None
    return leaf
""",
        "f(None, [])",
        gone="leaf stems first _Stem",
        stays="_Leaf",
    ),
    Program(
        "imports keep their names",
        """
import os.path as where
from math import sqrt as root
def f(square):
    import json
    return root(square), json.dumps(where.basename('a/b'))
""",
        "f(9)",
        gone="square",
        stays="where root json",
    ),
    Program(
        "names of two underscores are others inside a class",
        """
class A:
    def __init__(self, __secret):
        self.__held = __secret
    def shown(self, factor):
        return self.__held * factor
def f():
    return A(2).shown(3)
""",
        "f()",
        gone="factor",
        stays="__secret __held",
    ),
    Program(
        "super and the class cell",
        """
class A:
    def put(self, things):
        return things
class B(A):
    def put(self, items):
        items = [*items, __class__.__name__]
        return super().put(items)
""",
        "B().put([1])",
        gone="things items",
        stays="super",
    ),
    Program(
        "classes with arguments",
        """
class A:
    def __init_subclass__(cls, tag, **rest):
        cls.label = tag
class B(A, tag='t'):
    pass
""",
        "B.label",
        gone="rest",
        stays="tag cls",
    ),
    Program(
        "what a decorator may read by name",
        """
import inspect
def named(function):
    function.names = [*inspect.signature(function).parameters]
    return function
@named
def f(width, height):
    area = width * height
    return area
""",
        "f(2, 3), f.names",
        gone="area",
        stays="width height f",
    ),
    Program(
        "a function that is asked for its name",
        """
def f(text):
    def inner():
        return 1
    return text + inner.__name__
""",
        "f('a')",
        gone="text",
        stays="inner",
    ),
    Program(
        "coroutines and generators",
        """
import asyncio
async def f(rounds):
    async def numbers(limit):
        for number in range(limit):
            yield number
    return [one async for one in numbers(rounds)]
""",
        "asyncio.run(f(3))",
        gone="rounds numbers limit number one",
    ),
    Program(
        "unicode identifiers, and spellings that are one to Python",
        """
def f(größe, ﬁeld):
    Ärger = größe + field
    return Ärger
""",
        "f(1, 2)",
        gone="größe field Ärger",
    ),
    Program(
        "no new name is a builtin, though synonyms are",
        """
def f(text, kind, total, entry, characters):
    return str(text), type(kind), sum([total]), len(characters), list(entry)
""",
        "f(1, 2, 3, [4], 'a')",
        gone="text kind total entry characters",
    ),
    Program(
        "a snippet's variables are its own",
        """
numbers = [3, 1, 2]
for number in sorted(numbers):
    print(number)
answer = {'numbers': 1}
""",
        "1",
        gone="number answer",
        stays="numbers",
    ),
)

PURE = (
    Program(
        "fibonacci",
        """
def fibonacci(n):
    a, b = 0, 1
    for i in range(n):
        a, b = b, a + b
    return a
""",
        "[fibonacci(k) for k in range(20)]",
    ),
    Program(
        "gcd",
        """
def gcd(a, b):
    while b:
        a, b = b, a % b
    return a
""",
        "gcd(84, 36), gcd(7, 0)",
    ),
    Program(
        "primes",
        """
def primes(limit):
    sieve = [True] * (limit + 1)
    found = []
    for number in range(2, limit + 1):
        if sieve[number]:
            found.append(number)
            for multiple in range(number * number, limit + 1, number):
                sieve[multiple] = False
    return found
""",
        "primes(50)",
    ),
    Program(
        "quicksort",
        """
def quicksort(items):
    if len(items) < 2:
        return items
    pivot, *rest = items
    small = [x for x in rest if x < pivot]
    large = [x for x in rest if not x < pivot]
    return quicksort(small) + [pivot] + quicksort(large)
""",
        "quicksort([3, 1, 4, 1, 5, 9, 2, 6])",
    ),
    Program(
        "levenshtein",
        """
def distance(source, target):
    previous = list(range(len(target) + 1))
    for i, s in enumerate(source, 1):
        current = [i]
        for j, t in enumerate(target, 1):
            cost = 0 if s == t else 1
            current.append(min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost))
        previous = current
    return previous[-1]
""",
        "distance('kitten', 'sitting')",
    ),
    Program(
        "roman",
        """
def roman(number):
    table = [(10, 'X'), (9, 'IX'), (5, 'V'), (4, 'IV'), (1, 'I')]
    out = ''
    for value, letters in table:
        while number >= value:
            out += letters
            number -= value
    return out
""",
        "[roman(k) for k in range(1, 30)]",
    ),
    Program(
        "flatten",
        """
def flatten(nested):
    for item in nested:
        if isinstance(item, list):
            yield from flatten(item)
        else:
            yield item
""",
        "list(flatten([1, [2, [3, []], 4]]))",
    ),
    Program(
        "memo",
        """
def memo(function):
    cache = {}
    def wrapper(*args):
        if args not in cache:
            cache[args] = function(*args)
        return cache[args]
    return wrapper
""",
        "memo(lambda x: x * x)(7)",
    ),
    Program(
        "words",
        """
def count_words(text):
    counts = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
""",
        "count_words('a b a c B a')",
    ),
    Program(
        "binary search",
        """
def search(values, wanted):
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low
""",
        "[search([1, 3, 5], k) for k in range(7)]",
    ),
    Program(
        "caesar",
        """
def caesar(text, shift=3):
    def turned(letter):
        if not letter.isalpha():
            return letter
        first = ord('a' if letter.islower() else 'A')
        return chr((ord(letter) - first + shift) % 26 + first)
    return ''.join(map(turned, text))
""",
        "caesar('Hello, world'), caesar('abc', 1)",
    ),
    Program(
        "matrix",
        """
def product(left, right):
    columns = list(zip(*right))
    return [[sum(a * b for a, b in zip(row, column)) for column in columns] for row in left]
""",
        "product([[1, 2], [3, 4]], [[5, 6], [7, 8]])",
    ),
    Program(
        "brackets",
        """
def balanced(text):
    pairs = {')': '(', ']': '['}
    stack = []
    for char in text:
        if char in '([':
            stack.append(char)
        elif char in pairs:
            if not stack or stack.pop() != pairs[char]:
                return False
    return not stack
""",
        "balanced('([])'), balanced('(]'), balanced('(')",
    ),
    Program(
        "collatz",
        """
def steps(n, *, limit=1000):
    done = 0
    while n != 1 and done < limit:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        done += 1
    return done
""",
        "steps(27), steps(97)",
    ),
    Program(
        "stack machine",
        """
class Machine:
    def __init__(self):
        self._stack = []
    def run(self, program):
        for token in program.split():
            action = self._actions.get(token)
            if action is None:
                self._stack.append(float(token))
            else:
                right, left = self._stack.pop(), self._stack.pop()
                self._stack.append(action(left, right))
        return self._stack[-1]
    _actions = {'+': lambda a, b: a + b, '*': lambda a, b: a * b}
""",
        "Machine().run('2 3 + 4 *')",
    ),
    Program(
        "knapsack",
        """
def best(weights, values, room):
    table = [0] * (room + 1)
    for weight, value in zip(weights, values):
        for at in range(room, weight - 1, -1):
            table[at] = max(table[at], table[at - weight] + value)
    return table[room]
""",
        "best([1, 3, 4], [15, 50, 60], 4)",
    ),
    Program(
        "permutations",
        """
def orders(items):
    if not items:
        yield ()
    for index, item in enumerate(items):
        for rest in orders(items[:index] + items[index + 1:]):
            yield (item, *rest)
""",
        "list(orders([1, 2, 3]))",
    ),
    Program(
        "run lengths",
        """
def runs(text):
    out, last, count = [], None, 0
    for char in text:
        if char == last:
            count += 1
        else:
            if last is not None:
                out.append((last, count))
            last, count = char, 1
    return out + ([(last, count)] if last is not None else [])
""",
        "runs('aaabcc'), runs('')",
    ),
    Program(
        "shortest path",
        """
import heapq
def shortest(graph, start, end):
    queue, seen = [(0, start)], set()
    while queue:
        cost, node = heapq.heappop(queue)
        if node == end:
            return cost
        if node in seen:
            continue
        seen.add(node)
        for other, weight in graph.get(node, {}).items():
            heapq.heappush(queue, (cost + weight, other))
    return None
""",
        "shortest({'a': {'b': 2, 'c': 9}, 'b': {'c': 3}}, 'a', 'c')",
    ),
    Program(
        "compose",
        """
def compose(*functions):
    def composed(value):
        for function in functions:
            value = function(value)
        return value
    return composed
""",
        "compose(str, len, lambda x: x + 1)(1234)",
    ),
    Program(
        "triangle",
        """
def triangle(depth):
    rows = [[1]]
    while len(rows) < depth:
        last = rows[-1]
        rows.append([1] + [a + b for a, b in zip(last, last[1:])] + [1])
    return rows
""",
        "triangle(6)",
    ),
)

MODULES = {
    "textwrap": (
        "wrap('the quick brown fox ' * 9, 30), dedent('  a\\n    b\\n'), fill('x ' * 60, 20),"
        " indent('a\\nb', '> '), shorten('hello wide world', 12)"
    ),
    "heapq": "nsmallest(3, [5, 2, 8, 1]), nlargest(2, 'hgfa', ord), list(merge([1, 4], [2, 3]))",
    "bisect": "bisect_left([1, 2, 2, 3], 2), bisect_right([1, 2, 2, 3], 2, 1, 3)",
    "statistics": (
        "mean([1, 2, 4]), stdev([1.5, 2.5, 4]), median_grouped([1, 3, 3, 5]), mode('aabc'),"
        " quantiles([1, 5, 2, 8]), NormalDist(2, 3).cdf(1), linear_regression([1, 2], [3, 5])"
    ),
    "base64": (
        "b64encode(b'hello'), b32decode(b32encode(b'xyz')), b85decode(b85encode(b'12345')),"
        " a85encode(b'abc' * 9), urlsafe_b64decode('-_8=')"
    ),
    "colorsys": "rgb_to_hls(.2, .4, .6), hsv_to_rgb(.3, .5, .7), rgb_to_yiq(1, 0, .5)",
    "fnmatch": "fnmatch('a.py', '*.p?'), filter(['ab', 'cd'], '[!a]*'), translate('a*b?c')",
    "shlex": "split('a \"b c\" d\\\\ e'), join(['x y', 'z']), quote(\"it's\")",
    "graphlib": "list(TopologicalSorter({'d': {'b', 'c'}, 'b': {'a'}, 'c': {'b'}}).static_order())",
}
"""Modules of the standard library, and what to ask of them."""
