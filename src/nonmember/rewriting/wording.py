"""English phrases that say the same, and the words that WordNet's synonyms mislead about."""

import re
from collections.abc import Mapping
from typing import NamedTuple


class Rule(NamedTuple):
    """Words and tags that may precede ("*": any) and follow a word, and what then stands for it."""

    before: frozenset[str]
    after: frozenset[str]
    new: tuple[str, ...]


PAIRS = """
because of = due to = owing to; in addition, = additionally,; for example = for instance
with respect to = with regard to; compared to = compared with; despite = in spite of
moreover, = furthermore,; in contrast, = by contrast,; may be = might be; may have = might have
toward = towards; each other = one another; a lot of = lots of; in fact = indeed
as a result, = consequently,; together with = along with; therefore = thus = hence
on the other hand, = by contrast,; these days = nowadays; needs to = has to
"""
"""Each stands for any other of its row."""

ONE_WAY = """
because > since; although > though; even though > although; whilst > while; amongst > among
until > till; in order to > to > so as to; as well as > along with; a lot of > plenty of
whereas > while; a number of > several; several > a number of; a variety of > various
various > diverse > a variety of; prior to > before; subsequent to > after; due to > owing to
regarding > concerning; concerning > regarding; at the same time > simultaneously
in particular > particularly > especially; in general > generally; of course > naturally
instead of > rather than; such as > like; as soon as > once; as long as > provided that
however, > nevertheless, > nonetheless, > still,; nevertheless, > however,
is able to > can; are able to > can; was able to > could; were able to > could
lead to > result in > give rise to; leads to > results in > gives rise to
led to > resulted in > gave rise to; leading to > resulting in > giving rise to
result in > lead to > produce; results in > leads to > produces
resulted in > led to > produced; resulting in > leading to > producing
carry out > conduct > perform; carried out > conducted > performed
carrying out > conducting > performing; consist of > comprise; consists of > comprises
consisted of > comprised; find out > discover; make sure > ensure; have to > need to > must
need to > have to; had to > needed to; want to > wish to; wants to > wishes to
wanted to > wished to; trying to > attempting to; tried to > attempted to; try to > attempt to
tries to > attempts to; i think > i believe; i guess > i suppose; kind of > sort of
a bit > a little; also > additionally > likewise; many > numerous; numerous > many
upon > on; via > through > by way of; very > extremely > highly; only > just
often > frequently > commonly; in the past > previously > formerly; right now > at present
except for > apart from; other than > apart from; during > throughout; in which > where
is known as > is called; was known as > was called; known as > called; so far > to date
whether or not > whether; would like to > wish to > want to; as a whole > overall
in this paper, > here, > in this work,; in this study, > here, > in this work,
the fact that > that; take into account > consider; taking into account > considering
as part of > as a part of; at first > initially; at last > finally; all of the > all the
both of these > both; some of the > certain of the; first of all > to begin with
on average > on the average; over time > as time passes; perhaps > maybe; maybe > perhaps
sometimes > at times; usually > as a rule > generally; recently > of late > lately
already > by now; especially > in particular; again > once more; now > at present
almost > nearly; nearly > almost; enough to > sufficiently to; rather than > instead of
is located in > lies in > is situated in; best known for > most famous for
known for > noted for; served as > acted as > worked as; serves as > acts as > works as
is part of > is a part of; was part of > was a part of; is one of the > is among the
was one of the > was among the; as one of the > among the; are among the > belong to the
at the age of > aged; after that > then > afterwards; the same > the very same
many of > a number of
some of > a few of; most of > the majority of > the bulk of; in the world > worldwide > on earth
in recent years > lately > of late; there is a > there exists a; there is an > there exists an
is used to > serves to; are used to > serve to; was used to > served to; were used to > served to
it is possible to > one can; due to the fact that > because; in this study > in the present study
in this paper > in this work > in the present paper; in this work > in the present work
including > such as; what is more > besides; both of > the two of; as opposed to > rather than
in the early > early in the; in the late > late in the; up to now > so far; by means of > through
by using > using > through; a great deal of > much; a large number of > a great many > many
large numbers of > many; per year > annually > a year; every year > yearly > annually
has the potential to > can > could; have the potential to > can > could
play a role in > contribute to
at present > now > currently; in the future > later on > in time to come
at the end of > at the close of
as a result of > because of > owing to; on the basis of > based on; with the help of > by means of
in the absence of > without; in the case of > for; in case of > in the event of; as follows > thus
in spite of > despite; not only > not just; again and again > repeatedly; is made of > consists of
in the middle of > amid; in the beginning > at first
don't > do not; doesn't > does not; didn't > did not; can't > cannot; couldn't > could not
won't > will not; wouldn't > would not; isn't > is not; aren't > are not; wasn't > was not
weren't > were not; haven't > have not; hasn't > has not; hadn't > had not
shouldn't > should not; i'm > i am; i've > i have; i'll > i will; you're > you are
you've > you have; you'll > you will; we're > we are; we've > we have; we'll > we will
they're > they are; they've > they have; they'll > they will; cannot > can not
"""
"""Any of the rest of its row stands for the first."""

IDIOMS = """
according to; and so on; as far as; as well; at all; at least; at most; at once; back up; by far
by the way
close to; deal with; end up; even if; followed by; for sale; from scratch; full time; get rid
good luck
great deal; half past; hard drive; high school; in case; in charge; in common; in front; in light
in mind; in order; in part; in place; in practice; in question; in response; in rest; in return
in short; in spite; in terms; in touch; in turn; in vain; in view; in vitro; in vivo; kind of
last name; left hand; let alone; little bit; look at; look for; look forward; look like; looks like
make sense; makes sense; more or less; no longer; no matter; not only; of late; on behalf
on demand; on hand; on purpose; on time; one of; open source; part time; point of view
prime minister; public domain; real estate; real time; right away; right hand; role model
so called; so much; social media; sort of; take care; take part; take place; takes place
taken place; taking place; took place; the like; time out; too much; turn out; turns out; turned out
united states; used to; very much; vice versa; well known; if and only if; only if; if only
supreme court; so what; what if; what kind; world war
control group; case study; blood pressure; heart rate; side effect; side effects; side by side
standard deviation; confidence interval; machine learning; deep learning; web site; home page
feature film; television series; tv series; living room; civil war; law school; middle school
short story; mass spectrometry; body mass; body weight; risk factor; risk factors; free time
clinical trial; clinical trials; steady state; ground state; magnetic field; black hole
upper bound; lower bound; neural network; neural networks; gene expression; amino acid
"""
"""Fixed expressions, no word of which is exchanged."""

IN_CONTEXT = """
NNS we they you | can | VB not > are able to; NN it he she this NP | can | VB > is able to
* | can | be > may > could; * | may | VB not have be > might; * | might | VB not have be > may
NN NNS NP SU | should | VB be > ought to; NN NP it he she this | must | VB be > has to
NNS we they you i | must | VB be > have to; NN NNS | which | VBZ VB VBD BE HV MD > that
NN NNS | that | VBZ VBD BE HV MD > which; NN NNS | who | VBZ VBD VB BE HV MD > that
NN NNS | in | the this these our its their > within; * | these | NNS JJ > such
* | this | study paper work article review > the present; * | some | NNS > certain
* | all | the > all of; BE HV IN . VB VBZ VBD | most | NNS JJ > the majority of
* | each | NN > every; * | every | NN > each; IN . VB VBZ VBD | another | NN JJ > a further
* | before | 0 VBG > prior to; . | to | VB > in order to; * | about | 0 > around > approximately
* | over | 0 > more than; NN NNS | where | DT DS SU > in which; * | since | 0 > ever since
he she it NN NP | has | a an no > possesses; we they NNS | have | a an no > possess
he she it we they NN NNS NP | had | a an no > possessed; * | by | VBG > through
* | until | 0 > up to; * | same | NN NNS > very same; VB VBD | that | SU DT >
. | but | SU DT DS > yet; . | while | SU DT DS NN NNS NP > whereas; . | so | SU > therefore
BE | not | JJ VBN > by no means; JJ | and | JJ > as well as; NN NNS | on | DT DS > upon
VBN | on | DT DS > upon
"""
"""What may precede a word, the word, what may follow it (words or tags), its new form."""

NEVER = """
acrobatic ace ass auto backside band bang batch berth birth boy brook brute bum bump cat chap chip
circle clip commons compass conduct cop couch couple covert crude dead discourse dispatch dominion
eccentric empale endeavour essay exit eyeshot fall fanny fauna filth fling flock folks foul fry
fund gain game gin gob goody grub guild guts heap hit homo horde husbandry idle infirmary jargon
jolly killing lam lame lay legion lick lit lot lucifer mag manly marriage mass mates mating mint
mo moderately mortal motive mountain mouth mug mutation notice offset orbit pal panorama pass paw
pecker peck pic pile pit plight plump pol pop position posterior prof profits pro psyche pump
pussy quarter queer raft rake reach regime rip rod sack schoolhouse screw seed serial shag shed
showtime site sleep slip soul space spell spouse stack stuff superman tab terms thrash throw tie
to tread tribe tune turn vocal wad ware ways wee wight wireless wit wound bastard bitch crap damn
dick fuck nigger shit slut tit tits whore cock prick arse coon balls bloody breed bugger butt dame
hooker hoe jerk moron oriental savage sod spade dude intimately whole clock sometime evidence
further better purpose sport lend employ/n organise programme recognise labour centre behaviour
licence organisation favour colour peculiar master consort immature unharmed fighting convinced
keen piercing penetrating holding regard importantly straight cite office merchandise belongings
persona spotting state/v dwell persuasion sentiment calling trim loose free/v found/v render/v
cater/v obtain/n descend unity speak/n slight/v demo/v draw/v refer/v jeopardy quarry prey
interrogation curb amend mark/n carriage mapping map/n forbid coming radical rhythm cosmos grocery
solvent instrumentalist battlefield household/n voltage lodge societal pressing study/n chase
pursuit gather/n transplant termination interference grounds cognition nutrient maternity pen/v
handwriting crusade wellness jurisprudence attention bringing sum bulk lucid existent conquer
vigor enter/v file/v lift/v marvel nexus manufacture/n disc/n normal/n posture aggregation bureau
package class/v rude/a serve/v go/v aid/n tending reckon composite textbook refuge regain
capital/n screen/v tempt fit/v dish/n stress/n nominate/v level/v shape/v account/n optic mean/a
face/n visual beasts atom/n particle world/n universe petty ecumenical tally waiter nomadic
wandering stray roam gesture attribute addiction particular/n divide part/v prize treasure treat/v
twain brace duo duet convention rule/n ordinance pornographic grown utter/v healing meat
constellation nix null zip cipher alloy parole ironic wry flush instance/v fraction recipe implant
outburst cabbage dough bread inauguration twin sub interchange rush pattern/v mold bony gaunt
civilized polite burden amalgamation medium menace penetration upset comical rum trust/v bunch
ghostly clandestine maestro disposal embody century draught pale vie trance charm entrance
prejudice babe relentless haunting anterior pinched quiver ordination gag parcel bullshit gift/v
petition impetus bend crook twist alleviate ripple honored dog/v mum pull/v pond reign portion/v
dread fearful bulging inflated bulge governor aboriginal drop/v cue nurse/v plane/v hideous fright
consuming spring/v bound/v musing muse contention tilt token imposing curriculum doctrine entry
introduction donation waver equivalence additive taxonomic proficient world worldwide lean
accountant computer scheming insertion authoritative subject/a state/n enclosing sky pedestal
harry nail cycle/n critique frustration lump capture/n seizure dim web fault span/v needs shade
forks organize passing slow/r slowly course/r decent/r bully/v doomed doom defeat/n vehicle charge
charges paint image/v measure/n measures part/r suffer
"""
"""Words that are synonyms of something, and seldom what is meant; "/n" of that part of speech."""

ALONE = """
time/n get/v make/v do/v go/v come/v take/v give/v have/v be/v put/v set/v let/v keep/v hold/v
see/v look/v work/n life/n day/n year/n world/n head/n hand/n man/n woman/n part/n side/n series/n
lot/n bit/n thing/n kind/n sort/n number/n amount/n blood/n acid/n rat/n match/n seat/n bear/v
run/v call/v tell/v state/n state/v post/n player/n song/n group/n member/n band/n language/n
following/n fourth/n game/a game/n public/n public/a human/n human/a case/n subject/n cell/n
patient/n control/n model/n field/n light/n sample/n degree/n well/n can/n will/n even/a like/a
like/v back/n down/a own/v mean/a mean/n right/n right/a left/a left/n still/a close/v close/a
open/a long/a present/a present/n single/n fall/n back/v back/a way/n people/n record/n class/n
body/n share/n order/n point/n point/v place/n course/n power/n party/n person/n name/n line/n
form/n end/n home/n house/n company/n service/n rest/n today/r use/n reason/n live/a age/n age/v
date/n type/n/ fly/n mouse/n lead/n play/v play/n show/n star/n star/v second/n minute/n second/a
base/v base/n say/v know/v feature/v stage/n double/a binding/n volume/n light/a fine/n fine/a
sound/n sound/a north/n south/n east/n west/n male/a female/a male/n female/n black/a white/a
red/a product/n market/n bill/n law/n art/n council/n county/n town/n city/n state/a south/r
north/r east/r west/r first/r first/n go/n make/n thought/n addition/n acute/a love/n love/v god/n
king/n queen/n pretty/r currency/n cover/n drama/n talk/n talk/v hour/n property/n capital/n
score/n strain/n solution/n article/n mutant/n dose/n couple/n novel/n bank/n paper/n term/n
leave/n bird/n fish/n trade/n web/n site/n function/v list/n review/n reference/n linear/a
global/a animal/n molecule/n particle/n atom/n dimension/n mobile/a nuclear/a relative/a server/n
wireless/n wireless/a eye/n controller/n hyperbolic/a convex/a equation/n optical/a unknown/a
imaging/n expression/n history/n total/n total/a output/n input/n value/v refer/v derivative/n
zero/n hundred/n million/n password/n formula/n register/n board/n schedule/n review/v colony/n
peak/n kernel/n mode/n lettuce/n startup/n hip/n fusion/n induction/n differential/n infusion/n
fiber/n thorax/n seizure/n wavelet/n thigh/n skeletal/a nasal/a basal/a transcript/n effusion/n
excitation/n interpolation/n spectral/a circular/a mutation/n simulated/a admit/v vibration/n
perturbed/a weighted/a capable/a lead/v live/n form/v model/v range/v last/v weight/v process/v
turn/n cultured/a plus/n nominal/a average/n average/a one/n index/n coach/n league/n entry/n
debut/n phone/n computing/n sequence/n bus/n mass/a press/v reflect/v wide/r easy/r code/v
cluster/n estimator/n confidence/n autonomous/a animated/a pitched/a equal/a stand/n oil/n bound/n
fail/v include/v skim/v interrupt/v anterior/a posterior/a potential/n measure/n account/n taste/n
holding/n probe/n cleft/n error/n monolithic/a cilium/n matter/n otherwise/r center/n irritant/n
wiring/n pulse/n edge/n asset/n firm/r little/a meter/n diagram/n thousand/n click/v organize/v
visual/a growth/n function/n level/n limit/n
"""
"""Words that WordNet's first senses miss, or that mean too much to be exchanged."""


def _rules() -> Mapping[str, tuple[Rule, ...]]:
    found: dict[str, tuple[Rule, ...]] = {}
    for row in filter(str.strip, re.split(r"[;\n]", IN_CONTEXT)):
        where, *new = (one.strip() for one in row.split(">"))
        before, word, after = (frozenset(one.split()) for one in where.split("|"))
        key = "".join(word)
        found[key] = (*found.get(key, ()), Rule(before, after, tuple(new)))
    return found


def _phrases() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {one.strip(): () for one in re.split(r"[;\n]", IDIOMS)}
    for row in filter(str.strip, re.split(r"[;\n]", ONE_WAY)):
        old, *new = (one.strip() for one in row.split(">"))
        found[old] = (*found.get(old, ()), *new)
    for row in filter(str.strip, re.split(r"[;\n]", PAIRS)):
        same = [one.strip() for one in row.split("=")]
        for old in same:
            others = (one for one in same if one != old)
            found[old] = tuple(dict.fromkeys((*found.get(old, ()), *others)))
    found.pop("", None)
    return found


PHRASES = _phrases()
"""What may stand for a phrase in small letters; nothing, of an idiom."""

RULES = _rules()
"""What may stand for a closed word where something precedes and follows it."""

NEVER_OFFERED = frozenset(NEVER.split())
LEFT_ALONE = frozenset(ALONE.split())
