"""Words that programmers use for the same things, for names of which WordNet knows too little."""

from functools import cache

KINDS = """
a b c left right first second third former latter: one other primary secondary initial
i j k m n idx index ind ix pos position offset loc: position place spot slot offset cursor index
n num cnt count number size total length len nb: count number total amount quantity tally
x y z w v val value: item value entry piece thing element entity
elem element item it obj object o e: item value entry piece thing element entity
s t str string text txt line word msg message: text string words phrase wording message passage
c ch char character letter: letter symbol character glyph
b buf buffer bytes data: content payload buffer material bulk
chunk block payload raw content contents: content payload buffer material bulk
f fp fd fh file fileobj handle stream fobj: stream handle source document reader
fn func function callback cb: action routine callback operation procedure
f callable method handler hook meth: action routine callback operation procedure
k key keys name nm attr: key label title tag designation handle
attribute field ident identifier label title: key label title tag designation handle
d dct dict mapping table map lookup registry h: mapping table lookup catalog register
l lst list seq sequence items values: items entries series collection sequence members
array arr elements entries rows xs it iterable: items entries series collection sequence members
r res result results ret rv retval out output answer rtn: outcome answer product result yielded
p path pathname filename fname dirname dir directory folder root: location path route place folder
q queue pending todo stack heap: waiting pending backlog pile
t tm time timeout delay: moment duration period interval instant
duration seconds secs when stamp timestamp: moment duration period interval instant
g gen generator iter iterator: producer source supply feed
args arguments params: settings options extras arguments choices preferences
parameters options opts kw: settings options extras arguments choices preferences
kwargs kwds kwarg config settings conf cfg: settings options extras arguments choices preferences
err error errors exc exception e ex failure exc_info: failure problem fault trouble mishap
tp typ type cls klass class kind category sort: kind sort category family variety
tmp temp temporary cur current curr: present interim working momentary
prev previous last old orig original: earlier former prior past
next nxt new following later: upcoming fresh subsequent coming
min minimum low lower lo start begin first: lowest least bottom floor opening
max maximum high upper hi end stop last finish: highest greatest top ceiling closing
flag flags ok found done is has ready enabled seen: marker settled known reached present
node nodes tree child children branch leaf: vertex branch member descendant
parent owner master container: holder ancestor keeper
src source origin input inp: origin input supply
dst dest destination target targets: goal recipient aim receiver
m match found hit hits: hit finding match
regex pattern pat rx expr expression re: pattern formula template
prefix head header headers start: heading opening lead
suffix tail ext extension rest remainder trailing: ending tail leftover remainder
sep separator delimiter delim: divider splitter boundary
conn connection sock socket sk client: link channel line connection
host addr address url server domain: address site location
port fileno: gateway channel
req request query: demand inquiry call
resp response reply: reply response feedback
proc process pid job task worker thread: worker task job runner
lock mutex sem semaphore cond: latch guard barrier
event ev evt signal sig: occurrence signal incident
cmd command instruction op opcode operator: order directive operation
mod module pkg package lib library: unit library bundle
code program script: program script instructions
doc docs docstring description desc summary comment note: description note explanation remarks
info details meta metadata spec: details facts particulars
width w cols columns: breadth span extent
height h depth rows level: tallness depth extent
frame window widget win box: pane panel window
color colour fg bg: shade tint hue
encoding enc charset codec: charset coding
mode modes state status st: manner condition phase
id uid gid ident token tok tokens: token ticket mark
user usr username login: person account member
date day days: day calendar
month mon: month
year yr years: year
hour minute second: part
version ver release rev: edition release revision
weight weights score scores: importance rating mark
mean avg average mu: centre average middle
var variance std sigma: spread deviation
sum total acc accumulated: sum total whole
diff delta difference change: gap change difference
ratio fraction frac prob probability: share portion proportion
limit bound threshold cap: bound cutoff limit ceiling
step stride increment inc: stride increment pace
digit digits num: figure numeral
scale factor multiplier: factor multiplier
base foundation radix: foundation basis root
point pt points coord: spot mark dot
row record rec entry: record entry listing
col column: file
cell slot: slot compartment
group groups set sets pool bucket: cluster batch bunch
part parts piece pieces segment segments section token tokens: portion fragment piece share
test case check tests: trial check probe
log logger logging: journal record
env environ environment context ctx: surroundings setting situation
self_ other others rhs lhs another: counterpart companion rival
default fallback: standard fallback preset
ns namespace scope: namespace region
locale lang language: tongue language
body content inner: middle core midst
result_code rc status_code: outcome
reader parser scanner lexer: reader analyzer
writer printer dumper: writer printer
helper inner wrapper wrapped decorator impl: worker delegate doer
get read load fetch: obtain retrieve collect gather
set put write store save add: record keep place deposit
make build create new construct: build produce form
do run exec execute call: perform carry handle
find search lookup locate: locate seek discover
is has can should: may appears
parse decode analyse analyze: read interpret analyze
check validate verify test assert: examine inspect verify
format fmt render: layout shape arrangement
convert transform translate to from: change turn
send emit write push: deliver submit dispatch
update refresh modify: renew revise amend
remove delete pop drop clear: discard erase strip
split break cut: divide separate part
join merge combine concat: unite merge connect
sort order sorted: arrange rank
copy clone dup: duplicate replica
open init setup prepare: prepare begin launch
close shutdown cleanup finish: finish end conclude
"""

ORDINARY = tuple(
    """
    item entry piece value part detail element figure member holder keeper record portion
    object token unit extra chosen present given noted current local inner
    """.split()  # noqa: SIM905
)
"""For what has no synonym at all."""


@cache
def kinds() -> dict[str, tuple[str, ...]]:
    """For each word, those that may stand in its place, likelier ones first."""
    found: dict[str, dict[str, None]] = {}
    for line in KINDS.strip().splitlines():
        words, others = line.rsplit(":", 1)
        for word in words.split():
            found.setdefault(word, {}).update(dict.fromkeys(others.split()))
    return {word: tuple(one for one in others if one != word) for word, others in found.items()}
