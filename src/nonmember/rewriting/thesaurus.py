"""Frequent words of which WordNet's first senses say too little or too much: what stands for them.

In a row with "=" each word stands for any other; in one with ">" the rest stand for the first.
A row holds for the part of speech whose letter begins it: n, v, a, r.
"""

import re
from collections.abc import Mapping
from functools import cache

ROWS = """
n method > approach technique procedure; approach = strategy; technique > method procedure
n procedure > process technique; problem = issue; problem > difficulty; goal = aim = objective
n purpose > aim goal objective; result > finding outcome; outcome > result; finding > result
n effect > influence impact; influence = effect; impact = effect = influence
n analysis > examination; area = region; region > area zone; size > extent scale; increase = rise
n decrease > decline drop; reduction > decrease decline; decline > decrease drop
n loss > decline
n ability = capacity = capability; relationship > relation link; relation > relationship
n connection = link; association > link relationship connection; disease = illness
n illness > disease; disorder > condition; treatment > therapy; therapy > treatment
n medication > drug; physician = doctor; research > study work; study > investigation
n investigation > study inquiry; survey > poll; experiment > test trial; trial > test experiment
n test > trial; example = instance; paper > article; article > paper
n work > research; idea > notion concept; concept = notion; technology > tech
n person > individual
n individual > person; child > kid youngster; student > pupil learner; user > consumer
n customer > client; client > customer; company > firm business; firm = company
n business > company firm; job > position task; task > job; way > manner; manner > way
n means > way; kind = type = sort; sort > kind type; type > kind sort; part > portion
n portion > part share; location > site place
n site > location place; position > location; period > time span; film = movie
n movie > film; picture > image; image > picture; photo > picture photograph; song > tune track
n album > record; book > volume; writer = author; artist > performer; team > squad; squad > team
n player > participant; prize = award; participant > subject; leader > head; founder > creator
n country = nation; nation > country; city > town; town > community; village > settlement
n government > administration; politician > statesman; war > conflict; battle > fight combat
n house > home; home > house residence; building > structure; road > street; street > road
n car = automobile; vehicle > car; ship > vessel; vessel > ship; river > stream; forest > wood
n response > reaction; reaction > response; answer > reply response; question > query
n change > shift alteration; modification > change alteration
n difference > distinction; variation > change; development > evolution progress
n progress > advance; evidence > proof; factor > element
n element > component; component > element part; aspect > facet; feature > characteristic trait
n characteristic > feature trait; quality > standard
n process > procedure; mechanism > process
n application > use; use > usage application; performance > efficiency; advantage = benefit
n benefit > advantage; risk > danger hazard; danger > risk; chance > likelihood
n probability = likelihood; likelihood > probability; opportunity > chance; reason > cause
n cause > reason; explanation > account; description > account; discussion > debate
n amount > quantity; quantity > amount; rate > pace
n variety > range diversity; majority > bulk
n collection > set; category > class; friend > companion
n partner > associate; money > cash funds; cost > expense price; price > cost
n market > marketplace; school > academy; education > schooling; professor > academic
n teacher > instructor; presence > existence; absence > lack; lack > absence
n importance > significance; significance > importance; need > requirement; requirement > need
n demand > request; support > backing; help > assistance aid; assistance > help
n combination > mixture; mixture > blend
n environment > surroundings; situation > circumstance; event > occurrence
n end > close; beginning > start; start > beginning; origin > source; source > origin
n version > edition; code > program; program > application
n device > gadget apparatus; tool > instrument; instrument > tool; computer > machine
n machine > device; option > choice alternative; choice > option selection; alternative > option
n decision > choice; plan > scheme; limitation > restriction drawback
n restriction > limit; assessment > evaluation; evaluation > assessment
n potential > promise
n knowledge > understanding; understanding > knowledge grasp; experience > exposure
n challenge > difficulty; difficulty > problem trouble; solution > answer; community > society
n title > name; story > tale; life > existence
n attention > focus notice; interest > concern; view > opinion; opinion > view belief
n setting > environment; section > part; chapter > section
n sample > specimen; specimen > sample; detection > discovery; identification > recognition
n damage > harm; injury > wound damage; surgery > operation; diet > nutrition
n dataset > corpus; topic > subject theme; theme > topic; release > launch
n creation > formation; scientist > researcher
n researcher > investigator scientist; attempt > try effort; effort > attempt endeavor
n trend > tendency; event > happening; owner > proprietor; worker > employee; employee > worker
n leader > chief; crime > offense; fight > battle; speed > velocity pace; distance > gap
n length > extent; trip > journey
v show = demonstrate; show > indicate reveal; indicate > suggest show; suggest > indicate propose
v reveal > show disclose; investigate > examine study explore; examine > investigate study inspect
v study > investigate examine; explore > investigate examine; analyze > examine study
v evaluate = assess; assess > evaluate; determine > establish ascertain
v identify > recognize detect; obtain > acquire get; receive > get obtain
v gain > acquire; acquire > obtain gain; use > employ utilize; utilize > use employ
v employ > use utilize; apply > employ use; perform > conduct; conduct > perform
v contain > include hold; involve > entail include
v comprise > include contain; create > produce build; produce > generate create
v generate > produce create; build > construct; construct > build
v develop > devise create; design > devise; propose > suggest present; present > introduce show
v introduce > present; provide > supply offer; offer > provide; supply > provide; give > provide
v allow > permit enable; enable > allow permit; permit > allow; require > need demand
v need > require; help > assist aid; assist > help aid; increase > rise grow; improve > enhance
v enhance > improve boost; reduce > decrease lower; decrease > reduce lower
v grow > expand increase; expand > grow extend; extend > expand lengthen; change > alter
v alter > change modify; modify > alter change; affect > influence; influence > affect
v cause > produce induce; induce > cause trigger; prevent > stop avoid; avoid > prevent
v measure > gauge quantify; calculate > compute; compute > calculate
v estimate > approximate; describe > outline depict; discuss > consider address
v consider > examine regard; address > tackle; explain > clarify; report > describe
v claim > assert maintain; argue > contend claim; note > observe mention
v mention > note; discover > find; observe > see notice
v notice > observe see; detect > find identify; understand > grasp comprehend
v learn > discover; think > believe; believe > think; suppose > assume; assume > suppose presume
v expect > anticipate; hope > wish; want > desire; like > enjoy; enjoy > like; start = begin
v begin > start commence; stop > cease halt; finish > complete end; complete > finish
v end > finish; continue > proceed persist; remain > stay; stay > remain
v maintain > preserve keep; hold > keep; become > get; seem > appear; happen = occur
v occur > happen; appear > seem; die > perish; move > shift
v arrive > come; leave > depart; enter > join; join > enter; buy = purchase; sell > market
v write > compose; speak > talk; talk > speak; tell > inform; answer > reply
v say > state remark; call > name term; name > call; choose > select pick; select > choose pick
v decide > resolve; try > attempt; attempt > try; solve > resolve; achieve > attain accomplish
v attain > achieve reach; reach > attain; establish > found set; found > establish; launch > start
v release > issue; publish > issue release; record > register; locate > situate; connect > link
v link > connect; associate > link connect; relate > link connect; combine > merge join
v remove > eliminate; eliminate > remove; add > append; follow > pursue; support > back
v confirm > verify; verify > confirm check; demonstrate > show prove
v ensure > guarantee; control > regulate; manage > handle; direct > guide
v treat > manage; diagnose > identify; cure > heal; kill > slay; destroy > ruin
v protect > shield guard; predict > forecast; derive > deduce; characterize > describe
v belong > pertain; represent > depict; define > specify; classify > categorize; collect > gather
v gather > collect; send > transmit
v meet > encounter; visit > tour; act > behave; train > teach; teach > instruct; appoint > name
v receive > get; marry > wed; announce > declare; focus > concentrate; aim > seek; seek > pursue
v agree > concur; accept > embrace; share > divide; display > exhibit; exhibit > display
v check > verify; fix > repair; enroll > recruit
v recruit > enroll; implement > execute; execute > implement; store > keep
v transform > convert; convert > transform; exceed > surpass; vary > differ; differ > vary
v arise > emerge; emerge > arise; promote > foster; encourage > foster; possess > have own
v own > possess; depict > portray; portray > depict; feature > include
a important > significant crucial; significant > important notable; crucial > vital essential
a essential > vital crucial; main = principal; main > chief primary; major > main significant
a primary > main principal; key > crucial central; different > distinct differing
a various > diverse; similar > comparable alike; new = novel; new > fresh; recent > new latest
a early > initial; initial > first early; previous > earlier prior; former > past earlier
a late > later; large = big; large > sizable; big > large; small > little tiny; little > small
a great > immense large; huge > enormous; enormous > huge immense; tiny > minute; high > elevated
a low > reduced; strong > robust powerful; powerful > strong potent; weak > feeble
a good > fine decent; great > excellent; bad > poor; excellent > superb outstanding; poor > bad
a nice > pleasant; useful > helpful valuable; helpful > useful; effective > successful
a efficient > effective; successful > effective; good > sound; popular > favored
a famous > renowned noted; notable > noteworthy; common > frequent widespread; rare > uncommon
a frequent > common; general > overall broad; specific > particular; particular > specific
a special > particular; certain > particular; available > accessible
a possible > feasible potential; potential > possible; likely > probable; able > capable
a unable > incapable; necessary > needed required; sufficient > adequate; adequate > sufficient
a appropriate > suitable; suitable > appropriate; correct > right accurate; accurate > precise
a precise > exact accurate; wrong > incorrect; true > real genuine; real > actual genuine
a actual > real; clear > evident plain; obvious > clear evident; apparent > evident
a evident > apparent clear; simple > straightforward easy; easy > simple; difficult = hard
a hard > tough difficult; complex > complicated intricate; complicated > complex
a severe > serious grave; serious > severe grave; extensive > wide broad; entire > whole complete
a whole > entire complete; full > complete; total > overall
a overall > total; multiple > several numerous; additional > further extra; extra > additional
a subsequent > later following; following > next subsequent; old > aged ancient; young > youthful
a modern > contemporary; contemporary > modern; current > present; present > current
a traditional > conventional; conventional > traditional standard; original > initial
a local > regional; regional > local; public > communal; private > personal; personal > private
a individual > single separate; single > sole lone; fast > quick rapid; quick > fast rapid
a rapid > fast quick; slow > gradual; strange > odd unusual; unusual > uncommon odd
a interesting > intriguing engaging; popular > widespread; relevant > pertinent
a existing > current present; increased > elevated raised; random > arbitrary
a optimal > best ideal; ideal > perfect optimal; fundamental > basic; basic > fundamental
a minor > small slight; substantial > considerable; considerable > substantial
a unique > distinctive singular; typical > usual characteristic; usual > customary typical
a normal > regular ordinary; regular > normal; cheap > inexpensive; expensive > costly
a happy > glad pleased; sad > unhappy; smart > clever bright; stupid > foolish silly
a crazy > mad insane; wonderful > marvelous; beautiful > lovely; safe > secure
a dangerous > hazardous; professional > expert; numerous > many; diverse > varied
a promising > encouraging; stable > steady; continuous > ongoing constant; constant > steady
a external > outer; internal > inner; final > last ultimate; extreme > severe
a independent > separate; theoretical > conceptual; computational > numerical
a numerical > computational; experimental > empirical; close > near
a deep > profound; separate > distinct; distinct > different separate
a interested > keen
r significantly > markedly considerably; considerably > substantially
r substantially > considerably markedly; markedly > notably considerably
r greatly > considerably vastly; previously > earlier formerly; formerly > previously once
r originally > initially; initially > originally; recently > lately; currently > presently
r finally > lastly ultimately; usually > generally normally; generally > usually commonly
r typically > usually generally; commonly > frequently often; frequently > commonly often
r rarely > seldom; mainly > mostly chiefly; mostly > mainly largely; largely > mostly chiefly
r primarily > mainly chiefly; specifically > particularly; particularly > especially notably
r especially > particularly notably; approximately > roughly about; roughly > approximately about
r nearly > almost; completely > fully entirely; entirely > wholly completely
r fully > completely entirely; totally > completely utterly; quickly > rapidly fast
r rapidly > quickly swiftly; slowly > gradually; gradually > slowly; easily > readily
r readily > easily; directly > straight; simply > merely; merely > simply only; actually > really
r really > truly actually; probably > likely presumably; possibly > perhaps
r certainly > surely definitely; definitely > certainly surely; clearly > plainly evidently
r obviously > clearly plainly; highly > extremely very; extremely > highly very
r relatively > comparatively fairly; widely > broadly; well > thoroughly
r successfully > effectively; effectively > efficiently; efficiently > effectively
r simultaneously > concurrently; subsequently > later afterwards; later > afterwards subsequently
r eventually > finally ultimately; immediately > instantly promptly; today > nowadays
r moreover > furthermore besides; furthermore > moreover besides; additionally > moreover besides
r consequently > accordingly; accordingly > consequently; exactly > precisely; precisely > exactly
"""


@cache
def thesaurus() -> Mapping[str, tuple[str, ...]]:
    """What stands for "lemma/part"."""
    found: dict[str, dict[str, None]] = {}
    for row in ROWS.strip().splitlines():
        part, groups = row[0], re.split(r";", row[2:])
        for group in groups:
            old, *new = re.split(r"[\s=>]+", group.strip())
            both = [old, *new] if "=" in group else [old]
            for one in both:
                some = found.setdefault(f"{one}/{part}", {})
                some.update(dict.fromkeys(x for x in [old, *new] if x != one))
    return {old: tuple(new) for old, new in found.items()}
